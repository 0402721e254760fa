use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{self, JoinHandle, LocalSet};
use tokio::time;

use super::{BUFFER, Runtime, announce};

/// The current-thread runtime, with a `LocalSet` for tasks that are not `Send`. The tasks of the echo server
/// are `Send`, and need none.
#[derive(Clone, Copy)]
pub struct WithLocalSet;

/// The runtime for tasks that are not `Send`.
#[derive(Clone, Copy)]
pub struct Local;

async fn join<T>(handle: JoinHandle<T>) -> T {
    handle.await.expect("the task does not panic")
}

async fn serve<F>(connections: usize, spawn: F) -> io::Result<u64>
where
    F: Fn(TcpStream) -> JoinHandle<io::Result<u64>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?)?;
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tasks.push(spawn(stream));
    }
    let mut bytes = 0;
    for task in tasks {
        bytes += join(task).await?;
    }
    Ok(bytes)
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

macro_rules! common {
    () => {
        fn spawn<T: 'static>(
            self,
            future: impl Future<Output = T> + 'static,
        ) -> impl Future<Output = T> + 'static {
            join(task::spawn_local(future))
        }

        fn yield_now(self) -> impl Future<Output = ()> {
            task::yield_now()
        }

        fn sleep(self, duration: Duration) -> impl Future<Output = ()> {
            time::sleep(duration)
        }

        async fn timeout(self, limit: Duration, future: impl Future<Output = ()>) -> bool {
            time::timeout(limit, future).await.is_ok()
        }
    };
}

impl Runtime for WithLocalSet {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(LocalSet::new().block_on(&runtime, body(WithLocalSet)))
    }

    common!();

    fn echo(connections: usize) -> io::Result<u64> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve(connections, |stream| task::spawn(echo(stream))))
    }
}

impl Runtime for Local {
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
        let options = LocalOptions::default();
        let runtime = Builder::new_current_thread().enable_all().build_local(options)?;
        Ok(runtime.block_on(body(Local)))
    }

    common!();

    fn echo(connections: usize) -> io::Result<u64> {
        Self::block_on(async |_| {
            serve(connections, |stream| task::spawn_local(echo(stream))).await
        })?
    }
}
