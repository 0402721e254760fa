//! An HTTP server that ends in good order:
//! `cargo run --release -q -p ch10-join-cancel --example graceful -- 127.0.0.1:3000`. Ctrl-C ends it:
//! it accepts no more, answers what was asked, and waits for at most 5 seconds. Another number of
//! seconds may stand behind the address.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use ch07_tcp::servers::{Site, http};
use ch07_tcp::{ShutdownSignal, TcpListener, TcpStream};
use ch09_fairness::{Config, Runtime};
use ch10_join_cancel::{UntilStopped, serve};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (address, seconds) = match arguments.as_slice() {
        [address] => (address, Ok(5)),
        [address, seconds] => (address, seconds.parse()),
        _ => (&String::new(), "".parse()),
    };
    let Ok(seconds) = seconds else {
        eprintln!("usage: graceful ADDRESS [SECONDS], for example: graceful 127.0.0.1:3000 5");
        return ExitCode::from(2);
    };
    match run(address, Duration::from_secs(seconds)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("graceful: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, patience: Duration) -> io::Result<()> {
    Runtime::new(Config::default())?.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address)?;
        writeln!(io::stdout(), "Listening on {}", listener.local_addr()?)?;

        let site = Rc::new(Site::welcome());
        let handle = |stream: UntilStopped<TcpStream>| {
            let site = site.clone();
            async move {
                // A client that breaks the connection ends its own task, and nothing else.
                let _ = http(stream, &site).await;
            }
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "graceful: {error}"));
        let told = async {
            let _ = shutdown.recv().await;
            let _ = writeln!(io::stdout(), "Told to end. Nobody is accepted any more.");
        };
        let drained = serve(listener, told, patience, handle, report).await;
        let _ = writeln!(
            io::stdout(),
            "{} connections came to their end, {} were cut off. Bye.",
            drained.finished,
            drained.aborted
        );
        Ok(())
    })
}
