//! Chapter 7's echo server, on epoll or on a ring:
//! `cargo run --release -q -p ch14-swap --example swapped_echo -- 127.0.0.1:7000 ring`. The driver is
//! `auto`, `epoll` or `ring`. Ctrl-C ends it.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use ch07_tcp::ShutdownSignal;
use ch07_tcp::servers::{echo, serve};
use ch14_swap::{Config, DriverKind, Runtime, TcpListener, TcpStream};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, driver) = match arguments.as_slice() {
        [address] | [address, "auto"] => (address, DriverKind::Auto),
        [address, "epoll"] => (address, DriverKind::Epoll),
        [address, "ring"] => (address, DriverKind::Ring),
        _ => {
            eprintln!("usage: swapped_echo ADDRESS [auto|epoll|ring], such as 127.0.0.1:7000 ring");
            return ExitCode::from(2);
        }
    };
    match run(address, driver) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swapped_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: run
fn run(address: &str, driver: DriverKind) -> io::Result<()> {
    let runtime = Runtime::new(Config { driver, ..Config::default() })?;
    let sleeps_on = if runtime.ring().is_some() { "a ring" } else { "epoll" };
    runtime.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"))
        })?;
        writeln!(io::stdout(), "Listening on {}, on {sleeps_on}", listener.local_addr()?)?;

        let handle = |stream: TcpStream| async {
            // A client that breaks the connection ends its own task, and nothing else.
            let _ = echo(stream).await;
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "swapped_echo: {error}"));
        serve(listener, shutdown.recv(), handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}
// ANCHOR_END: run
