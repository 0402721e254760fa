use std::env;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};

use crate::house::{House, LOOPBACK, Mini};

const MESSAGE: usize = 1024;
/// Before each round: long enough for a server to fall asleep, also under a tool that slows it down. So
/// each round is one message of each connection, and one sleep.
const PAUSE: Duration = Duration::from_micros(300);
const BUFFER: usize = 16 * 1024;

/// Serves so many connections, which together send `n` messages, by `AsyncRead` and `AsyncWrite`.
///
/// # Errors
/// If the load or a connection fails.
pub fn polled<H: House>(house: &H, connections: usize, n: usize) -> io::Result<()> {
    house.block_on(async {
        let (mut listener, address) = H::listen()?;
        let load = start_load(address, connections, n)?;
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let connection = listener.next().await.expect("a listener never ends")?;
            tasks.push(H::spawn(echo(connection)));
        }
        for task in tasks {
            task.await?;
        }
        load.join()
    })
}

async fn echo(
    mut connection: impl futures::AsyncRead + futures::AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = connection.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        connection.write_all(&buffer[..length]).await?;
    }
}

/// The same with buffers that are given away.
///
/// # Errors
/// If the load or a connection fails.
pub fn owned(mini: &Mini, connections: usize, n: usize) -> io::Result<()> {
    mini.block_on(async {
        let listener = mini_runtime::net::TcpListener::bind(LOOPBACK)?;
        let load = start_load(listener.local_addr()?, connections, n)?;
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let (connection, _) = listener.accept().await?;
            tasks.push(Mini::spawn(echo_owned(connection)));
        }
        for task in tasks {
            task.await?;
        }
        load.join()
    })
}

async fn echo_owned(connection: mini_runtime::net::TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let (result, received) = connection.read(buffer).await;
        if result? == 0 {
            return Ok(());
        }
        let (result, sent) = connection.write_all(received).await;
        result?;
        buffer = sent;
    }
}

/// The load is another process, so that nobody counts what it does.
struct Load(std::process::Child);

fn start_load(server: SocketAddr, connections: usize, n: usize) -> io::Result<Load> {
    let arguments = [server.to_string(), connections.to_string(), n.to_string()];
    Ok(Load(Command::new(env::current_exe()?).arg("load").args(arguments).spawn()?))
}

impl Load {
    /// To be called when all connections have ended, so that this does not keep the thread.
    fn join(mut self) -> io::Result<()> {
        match self.0.wait()? {
            status if status.success() => Ok(()),
            status => Err(io::Error::other(format!("the load has failed: {status}"))),
        }
    }
}

/// Sends a message on each connection, waits for all echoes, pauses, and so on, until there were `n`.
///
/// # Errors
/// If a connection fails, or an echo is not what was sent.
pub fn load(server: &str, connections: usize, n: usize) -> io::Result<()> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut echo = [0; MESSAGE];
    for round in 0..n / connections {
        thread::sleep(PAUSE);
        let message = [round as u8; MESSAGE];
        for stream in &mut streams {
            stream.write_all(&message)?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut echo)?;
            if echo != message {
                return Err(io::Error::other("an echo differs from what was sent"));
            }
        }
    }
    Ok(())
}
