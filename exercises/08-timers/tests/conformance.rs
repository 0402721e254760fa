//! This chapter's runtime, held to what every stage owes its tasks and its streams.

use std::io;
use std::net::SocketAddr;

use ch07_tcp::{TcpListener, TcpStream};
use ch08_timers::Runtime;
use conformance::{NetStage, Stage, executor_suite, net_suite};

struct Chapter8(Runtime);

impl Stage for Chapter8 {
    fn new() -> Self {
        Chapter8(Runtime::new().expect("descriptors are left"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        ch05_executor::spawn(future);
    }
}

impl NetStage for Chapter8 {
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

executor_suite!(Chapter8);
net_suite!(Chapter8);
