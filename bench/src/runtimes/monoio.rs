use std::io;
use std::time::Duration;

use futures_lite::future;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder, time};

use super::{BUFFER, Runtime, announce};

/// The io_uring driver as it is, with timers.
#[derive(Clone, Copy)]
pub struct Monoio;

impl Runtime for Monoio {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        let mut runtime = RuntimeBuilder::<IoUringDriver>::new().enable_timer().build()?;
        Ok(runtime.block_on(body(Monoio)))
    }

    fn spawn<T: 'static>(
        self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        monoio::spawn(future)
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
            let listener = TcpListener::bind("127.0.0.1:0")?;
            announce(listener.local_addr()?)?;
            let mut tasks = Vec::with_capacity(connections);
            for _ in 0..connections {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tasks.push(monoio::spawn(echo(stream)));
            }
            let mut bytes = 0;
            for task in tasks {
                bytes += task.await?;
            }
            Ok(bytes)
        })?
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut bytes = 0;
    loop {
        let (read, received) = stream.read(buffer).await;
        match read? {
            0 => return Ok(bytes),
            length => bytes += length as u64,
        }
        let (written, sent) = stream.write_all(received).await;
        written?;
        buffer = sent;
        buffer.clear();
    }
}
