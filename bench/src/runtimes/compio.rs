use std::io;
use std::time::Duration;

use compio::BufResult;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime;
use compio::time;
use futures_lite::future;

use super::{BUFFER, Runtime, announce};

/// The runtime as it is, on io_uring.
#[derive(Clone, Copy)]
pub struct Compio;

async fn join<T>(handle: runtime::JoinHandle<T>) -> T {
    handle.await.expect("the task does not panic")
}

impl Runtime for Compio {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        let runtime = runtime::Runtime::new()?;
        Ok(runtime.block_on(body(Compio)))
    }

    fn spawn<T: 'static>(
        self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        join(runtime::spawn(future))
    }

    // It has none of its own.
    fn yield_now(self) -> impl Future<Output = ()> {
        future::yield_now()
    }

    fn sleep(self, duration: Duration) -> impl Future<Output = ()> {
        time::sleep(duration)
    }

    async fn timeout(self, limit: Duration, future: impl Future<Output = ()>) -> bool {
        time::timeout(limit, future).await.is_ok()
    }

    fn echo(connections: usize) -> io::Result<u64> {
        Self::block_on(async |_| {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let mut tasks = Vec::with_capacity(connections);
            for _ in 0..connections {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tasks.push(runtime::spawn(echo(stream)));
            }
            let mut bytes = 0;
            for task in tasks {
                bytes += join(task).await?;
            }
            Ok(bytes)
        })?
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut bytes = 0;
    loop {
        let BufResult(read, received) = stream.read(buffer).await;
        match read? {
            0 => return Ok(bytes),
            length => bytes += length as u64,
        }
        let BufResult(written, sent) = stream.write_all(received).await;
        written?;
        buffer = sent;
    }
}
