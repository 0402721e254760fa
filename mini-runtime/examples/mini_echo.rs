//! An echo server: `cargo run --release -q -p mini-runtime --example mini_echo -- 127.0.0.1:7000`.

use std::env;
use std::io;
use std::process::ExitCode;

use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::{Runtime, spawn};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address] = arguments.as_slice() else {
        eprintln!("usage: mini_echo ADDRESS, for example: mini_echo 127.0.0.1:7000");
        return ExitCode::from(2);
    };
    match run(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini_echo: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: run
fn run(address: &str) -> io::Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)?;
        println!("Listening on {}, on {}", listener.local_addr()?, runtime.driver());
        loop {
            let (stream, _) = listener.accept().await?;
            // A client that breaks the connection ends its own task, and nothing else.
            drop(spawn(async move { drop(echo(stream).await) }));
        }
    })
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let (result, received) = stream.read(buffer).await;
        if result? == 0 {
            return stream.shutdown(std::net::Shutdown::Write);
        }
        let (result, sent) = stream.write_all(received).await;
        result?;
        buffer = sent;
    }
}
// ANCHOR_END: run
