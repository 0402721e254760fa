//! A load for an echo server. With the server at port 7000,
//! `cargo run --release -q -p ch07-tcp --example load -- 127.0.0.1:7000 64 10000` makes 64 connections
//! and sends 10,000 messages of 1 KiB on each, one after the other. Every echo is held against what
//! was sent.
//!
//! There is no clock before chapter 8: a server that says nothing keeps this program waiting.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, io};

use ch05_executor::spawn;
use ch07_tcp::{Runtime, TcpStream};
use futures::channel::mpsc;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};

const USAGE: &str =
    "usage: load ADDRESS CONNECTIONS MESSAGES, for example: load 127.0.0.1:7000 64 10000";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some((server, connections, messages)) = parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let start = Instant::now();
    match load(server, connections, messages) {
        Ok(()) => {
            let (total, seconds) = (connections * messages, start.elapsed().as_secs_f64());
            let rate = total as f64 / seconds;
            println!("{total} messages in {seconds:.2} s: {rate:.0} messages per second");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<(SocketAddr, usize, usize)> {
    let [server, connections, messages] = arguments else { return None };
    Some((server.parse().ok()?, connections.parse().ok()?, messages.parse().ok()?))
}

/// Ends with the first connection that fails.
fn load(server: SocketAddr, connections: usize, messages: usize) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let (finish, mut finished) = mpsc::unbounded();
        for number in 0..connections {
            let finish = finish.clone();
            spawn(async move {
                let result = talk(server, number, messages).await;
                let named = result.map_err(|error| {
                    io::Error::new(error.kind(), format!("connection {number}: {error}"))
                });
                // Nobody listens any more if another connection has failed.
                let _ = finish.unbounded_send(named);
            });
        }
        drop(finish);
        while let Some(result) = finished.next().await {
            result?;
        }
        Ok(())
    })
}

async fn talk(server: SocketAddr, connection: usize, messages: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    let mut echo = [0; 1024];
    for number in 0..messages {
        let message: [u8; 1024] = std::array::from_fn(|place| (connection + number + place) as u8);
        stream.write_all(&message).await?;
        stream.read_exact(&mut echo).await?;
        if echo != message {
            return Err(io::Error::other(format!("the echo of message {number} differs from it")));
        }
    }
    stream.close().await?;
    match stream.read(&mut echo).await? {
        0 => Ok(()),
        _ => Err(io::Error::other("the server sends more than it was sent")),
    }
}
