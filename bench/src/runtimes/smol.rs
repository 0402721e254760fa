use std::io;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::Timer;
use async_net::{TcpListener, TcpStream};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

use super::{BUFFER, Runtime, announce};

/// The parts that smol is made of: a `LocalExecutor`, and async-io's `block_on`, which runs the reactor on
/// this thread.
#[derive(Clone, Copy)]
pub struct Smol(&'static LocalExecutor<'static>);

impl Runtime for Smol {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        let executor = Box::leak(Box::new(LocalExecutor::new()));
        Ok(async_io::block_on(executor.run(body(Smol(executor)))))
    }

    fn spawn<T: 'static>(
        self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        self.0.spawn(future)
    }

    fn yield_now(self) -> impl Future<Output = ()> {
        future::yield_now()
    }

    async fn sleep(self, duration: Duration) {
        Timer::after(duration).await;
    }

    fn timeout(
        self,
        limit: Duration,
        future: impl Future<Output = ()>,
    ) -> impl Future<Output = bool> {
        let in_time = async {
            future.await;
            true
        };
        let too_late = async move {
            Timer::after(limit).await;
            false
        };
        future::or(in_time, too_late)
    }

    fn echo(connections: usize) -> io::Result<u64> {
        Self::block_on(async |smol| {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            announce(listener.local_addr()?)?;
            let mut tasks = Vec::with_capacity(connections);
            for _ in 0..connections {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tasks.push(smol.spawn(echo(stream)));
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
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(bytes);
        }
        stream.write_all(&buffer[..length]).await?;
        bytes += length as u64;
    }
}
