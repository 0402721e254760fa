use std::io;
use std::time::Duration;

use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::{Builder, DriverKind, spawn, task, time};

use super::{BUFFER, Runtime, announce};

#[derive(Clone, Copy)]
pub struct Uring;

#[derive(Clone, Copy)]
pub struct Epoll;

fn block_on<T>(driver: DriverKind, body: impl Future<Output = T>) -> io::Result<T> {
    Ok(Builder::new().driver(driver).build()?.block_on(body))
}

async fn join<T>(handle: task::JoinHandle<T>) -> T {
    handle.await.expect("the task does not panic")
}

async fn serve(connections: usize) -> io::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?)?;
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tasks.push(spawn(echo(stream)));
    }
    let mut bytes = 0;
    for task in tasks {
        bytes += join(task).await?;
    }
    Ok(bytes)
}

async fn echo(stream: TcpStream) -> io::Result<u64> {
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
    }
}

macro_rules! runtime {
    ($name:ident, $driver:expr) => {
        impl Runtime for $name {
            fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T> {
                block_on($driver, body($name))
            }

            fn spawn<T: 'static>(
                self,
                future: impl Future<Output = T> + 'static,
            ) -> impl Future<Output = T> + 'static {
                join(spawn(future))
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

            fn echo(connections: usize) -> io::Result<u64> {
                block_on($driver, serve(connections))?
            }
        }
    };
}

runtime!(Uring, DriverKind::IoUring);
runtime!(Epoll, DriverKind::Epoll);
