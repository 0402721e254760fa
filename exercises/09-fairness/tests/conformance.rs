//! Chapter 9's runtime, held to what every stage owes its tasks and its streams.

use std::io;
use std::net::SocketAddr;

use ch07_tcp::{TcpListener, TcpStream};
use ch09_fairness::{Config, Runtime, spawn};
use conformance::{NetStage, Stage, executor_suite, net_suite};

struct Chapter9(Runtime);

impl Stage for Chapter9 {
    fn new() -> Self {
        Chapter9(Runtime::new(Config::default()).expect("descriptors are left"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        spawn(future);
    }
}

impl NetStage for Chapter9 {
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

executor_suite!(Chapter9);
net_suite!(Chapter9);
