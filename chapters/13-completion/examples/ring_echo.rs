//! An echo server on the ring: `cargo run --release -q -p ch13-completion --example ring_echo -- 127.0.0.1:7000`,
//! then `nc 127.0.0.1 7000`. With `by-hand` behind the address: the one without futures. Ctrl-C ends it.

use std::env;
use std::io::{self, Write};
use std::net;
use std::process::ExitCode;
use std::rc::Rc;

use ch13_completion::{
    AsyncReadOwned, AsyncWriteOwnedExt, Driver, TcpListener, TcpStream, block_on, by_hand,
};
use futures::{TryStreamExt, stream};

/// So many clients are served at once. The others wait until one of them has gone.
const CLIENTS: usize = 500;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, served) = match words.as_slice() {
        [address] => (address, on_the_driver(address)),
        [address, "by-hand"] => (address, on_two_queues(address)),
        _ => {
            eprintln!("usage: ring_echo ADDRESS [by-hand], for example: ring_echo 127.0.0.1:7000");
            return ExitCode::from(2);
        }
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ring_echo: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_two_queues(address: &str) -> io::Result<()> {
    let listener = net::TcpListener::bind(address)?;
    writeln!(io::stdout(), "Listening on {}", listener.local_addr()?)?;
    by_hand::echo(&listener, usize::MAX)
}

// ANCHOR: server
fn on_the_driver(address: &str) -> io::Result<()> {
    let driver = Rc::new(Driver::new(256)?);
    block_on(&driver, async {
        let listener = TcpListener::bind(address)?;
        writeln!(io::stdout(), "Listening on {}", listener.local_addr()?)?;

        let clients = stream::try_unfold(listener, async |listener| {
            let (stream, _) = listener.accept().await?;
            Ok(Some((stream, listener)))
        });
        let serve = async |stream| {
            // A client that breaks the connection ends that alone.
            let _ = echo(stream).await;
            Ok(())
        };
        clients.try_for_each_concurrent(CLIENTS, serve).await
    })
}
// ANCHOR_END: server

// ANCHOR: client
async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let (length, heard) = stream.read(buffer).await;
        if length? == 0 {
            return Ok(());
        }
        let (sent, back) = stream.write_all(heard).await;
        sent?;
        buffer = back;
    }
}
// ANCHOR_END: client
