use std::io;
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{GlommioError, LocalExecutorBuilder, timer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{BUFFER, Runtime, announce};

/// One `LocalExecutor` on this thread.
#[derive(Clone, Copy)]
pub struct Glommio;

impl Runtime for Glommio {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        lock_memory();
        let executor = LocalExecutorBuilder::default().make()?;
        Ok(executor.run(body(Glommio)))
    }

    fn spawn<T: 'static>(
        self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static {
        glommio::spawn_local(future)
    }

    async fn yield_now(self) {
        glommio::executor().yield_now().await;
    }

    fn sleep(self, duration: Duration) -> impl Future<Output = ()> {
        timer::sleep(duration)
    }

    async fn timeout(self, limit: Duration, future: impl Future<Output = ()>) -> bool {
        let future = async {
            future.await;
            Ok::<(), GlommioError<()>>(())
        };
        timer::timeout(limit, future).await.is_ok()
    }

    fn echo(connections: usize) -> io::Result<u64> {
        Self::block_on(async |_| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            announce(listener.local_addr()?)?;
            let mut tasks = Vec::with_capacity(connections);
            for _ in 0..connections {
                let stream = listener.accept().await?;
                stream.set_nodelay(true)?;
                tasks.push(glommio::spawn_local(echo(stream)));
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

/// It registers memory with its rings, and asks for room to lock it. Where that is not allowed, it says so
/// itself.
fn lock_memory() {
    let limit = getrlimit(Resource::Memlock);
    let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, ..limit });
}
