//! The runtime of this chapter, held to what every stage owes its tasks and its streams. The suite is
//! the one of chapter 5, unchanged.

use std::io;
use std::net::SocketAddr;

use ch07_tcp::{TcpListener, TcpStream};
use ch11_threads::{Config, Runtime};
use conformance::{NetStage, Stage, executor_suite, net_suite};

struct Chapter11(Runtime);

impl Stage for Chapter11 {
    fn new() -> Self {
        Chapter11(Runtime::new(Config::default()).expect("descriptors are left"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        ch09_fairness::spawn(future);
    }
}

impl NetStage for Chapter11 {
    type Stream = TcpStream;
    type Listener = TcpListener;

    fn listen() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }

    async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }
}

executor_suite!(Chapter11);
net_suite!(Chapter11);
