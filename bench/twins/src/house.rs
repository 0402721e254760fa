use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ch14_swap::TimerQueue;
use futures::{AsyncRead, AsyncWrite, Stream};
use mini_runtime::DriverKind;

/// A runtime, as the programs here need one. All but `block_on` is to be called inside of it.
pub trait House {
    /// Its connections.
    type Connection: AsyncRead + AsyncWrite + Unpin + 'static;
    /// What accepts them.
    type Listener: Stream<Item = io::Result<Self::Connection>> + Unpin;

    /// Runs a future, and the tasks that it spawns.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Starts a task. What comes back is ready with its output.
    fn spawn<T: 'static>(
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static;

    /// Gives the thread to the others, in the runtime's own way.
    fn yield_now() -> impl Future<Output = ()>;

    /// Sleeps for so long.
    fn sleep(duration: Duration) -> impl Future<Output = ()>;

    /// Listens on a port of this machine, and says on which.
    fn listen() -> io::Result<(Self::Listener, SocketAddr)>;
}

/// Any port of this machine.
pub const LOOPBACK: &str = "127.0.0.1:0";

/// The executor of chapter 11, with the join handles of chapter 10. On epoll and with a map it is chapter
/// 11's runtime, with the sockets of chapter 7. On a ring and with a wheel it is that of chapter 14.
pub struct Chapter(ch14_swap::Runtime);

impl Chapter {
    /// # Errors
    /// If there is no such driver.
    pub fn new(driver: ch14_swap::DriverKind, timers: TimerQueue) -> io::Result<Chapter> {
        let config = ch14_swap::Config { driver, timers, ..ch14_swap::Config::default() };
        Ok(Chapter(ch14_swap::Runtime::new(config)?))
    }
}

impl House for Chapter {
    type Connection = ch14_swap::TcpStream;
    type Listener = ch14_swap::TcpListener;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<T: 'static>(
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        let task = ch10_join_cancel::spawn(future);
        async { task.await.expect("no task here panics") }
    }

    fn yield_now() -> impl Future<Output = ()> {
        ch09_fairness::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        ch08_timers::sleep(duration)
    }

    fn listen() -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = ch14_swap::TcpListener::bind(LOOPBACK)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }
}

/// mini-runtime.
pub struct Mini(mini_runtime::Runtime);

impl Mini {
    /// # Errors
    /// If there is no such driver.
    pub fn new(driver: DriverKind) -> io::Result<Mini> {
        Ok(Mini(mini_runtime::Builder::new().driver(driver).build()?))
    }
}

impl House for Mini {
    type Connection = mini_runtime::net::TcpStream;
    type Listener = mini_runtime::net::TcpListener;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<T: 'static>(
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        let task = mini_runtime::spawn(future);
        async { task.await.expect("no task here panics") }
    }

    fn yield_now() -> impl Future<Output = ()> {
        mini_runtime::task::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        mini_runtime::time::sleep(duration)
    }

    fn listen() -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = mini_runtime::net::TcpListener::bind(LOOPBACK)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    }
}
