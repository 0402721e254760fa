//! Four ways between code that is async and code that is not: two from each side to the other.
//!
//! A server on this machine knows a number. Code that blocks gets it by an async function, and async code
//! gets it by a function that blocks.
//!
//! `cargo run -p ch11-threads --example bridges`: ends by itself, and leaves nothing behind.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use ch07_tcp::TcpStream;
use ch11_threads::{Config, Handle, Runtime, oneshot, spawn_blocking};
use futures::AsyncReadExt;

/// Async: it waits with a waker.
pub async fn fetch(server: SocketAddr) -> io::Result<u32> {
    let mut text = String::new();
    TcpStream::connect(server).await?.read_to_string(&mut text).await?;
    number(&text)
}

/// The same for a thread of its own: it blocks.
pub fn fetch_blocking(server: SocketAddr) -> io::Result<u32> {
    let mut text = String::new();
    net::TcpStream::connect(server)?.read_to_string(&mut text)?;
    number(&text)
}

fn number(text: &str) -> io::Result<u32> {
    text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn lost(why: impl ToString) -> io::Error {
    io::Error::other(why.to_string())
}

/// From sync to async, by the handle of a runtime on another thread.
pub fn by_handle(handle: &Handle, server: SocketAddr) -> io::Result<u32> {
    handle.block_on(move || fetch(server)).map_err(lost)?
}

/// The same by hand: a task there, and a channel that blocks here.
pub fn by_channel(handle: &Handle, server: SocketAddr) -> io::Result<u32> {
    let (sender, receiver) = sync_channel(1);
    drop(handle.spawn(async move || {
        let fetched = fetch(server).await;
        // There is room for one, so this does not block the runtime.
        let _ = sender.send(fetched);
    }));
    receiver.recv().map_err(lost)?
}

/// From async to sync, on a thread of the runtime's pool.
pub async fn by_spawn_blocking(server: SocketAddr) -> io::Result<u32> {
    spawn_blocking(move || fetch_blocking(server)).await.map_err(lost)?
}

/// The same by hand: a thread, and a channel whose receiver can be awaited. This thread may as well go on
/// for ever.
pub async fn by_thread(server: SocketAddr) -> io::Result<u32> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new().spawn(move || {
        // Nobody is left to be told if the task does not wait any more.
        let _ = sender.send(fetch_blocking(server));
    })?;
    receiver.await.map_err(lost)?
}

/// A server that says the same number to everybody, on a thread that goes with the process.
pub fn serve(number: u32) -> io::Result<SocketAddr> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::Builder::new().spawn(move || {
        for client in listener.incoming() {
            // A client that has gone does not want it.
            let _ = client.and_then(|mut client| writeln!(client, "{number}"));
        }
    })?;
    Ok(address)
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = serve(42)?;

    // A runtime on another thread, until it is told to stop.
    let (give, given) = channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let elsewhere = thread::spawn(move || {
        let runtime = Runtime::new(Config::default())?;
        // Both fail only if `main` has given up.
        let _ = give.send(runtime.handle());
        let _ = runtime.block_on(stopped);
        io::Result::Ok(())
    });
    if let Ok(handle) = given.recv() {
        println!("From sync to async: the runtime is on another thread.");
        println!("  by Handle::block_on:          {}", by_handle(&handle, server)?);
        println!("  by a task and a channel:      {}", by_channel(&handle, server)?);
        let _ = stop.send(());
    }
    elsewhere.join().map_err(|_| "the runtime has panicked")??;

    Runtime::new(Config::default())?.block_on(async {
        println!("From async to sync: the runtime is on this thread.");
        println!("  by spawn_blocking:            {}", by_spawn_blocking(server).await?);
        println!("  by a thread and a channel:    {}", by_thread(server).await?);
        Ok(())
    })
}
