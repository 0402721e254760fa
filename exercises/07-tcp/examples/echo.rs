//! An echo server: `cargo run --release -q -p ch07-tcp --example echo -- 127.0.0.1:7000`, then
//! `nc 127.0.0.1 7000`. Ctrl-C ends it.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use ch07_tcp::servers::{echo, serve};
use ch07_tcp::{Runtime, ShutdownSignal, TcpListener};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address] = arguments.as_slice() else {
        eprintln!("usage: echo ADDRESS, for example: echo 127.0.0.1:7000");
        return ExitCode::from(2);
    };
    match run(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address)?;
        writeln!(io::stdout(), "Listening on {}", listener.local_addr()?)?;

        let handle = |stream| async {
            // A client that breaks the connection ends its own task, and nothing else.
            let _ = echo(stream).await;
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "echo: {error}"));
        serve(listener, shutdown.recv(), handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}
