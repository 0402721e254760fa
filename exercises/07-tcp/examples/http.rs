//! An HTTP server: `cargo run --release -q -p ch07-tcp --example http -- 127.0.0.1:3000`, then
//! `curl -i http://127.0.0.1:3000/`. With a directory behind the address it serves the files in
//! there, as they were when it started. Ctrl-C ends it.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

use ch07_tcp::servers::{Site, http, serve};
use ch07_tcp::{Runtime, ShutdownSignal, TcpListener, TcpStream};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let (address, site) = match arguments.as_slice() {
        [address] => (address, Ok(Site::welcome())),
        [address, directory] => (address, Site::load(directory)),
        _ => {
            eprintln!(
                "usage: http ADDRESS [DIRECTORY], for example: http 127.0.0.1:3000 book/book"
            );
            return ExitCode::from(2);
        }
    };
    match site.and_then(|site| run(&address.to_string_lossy(), site)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, site: Site) -> io::Result<()> {
    Runtime::new()?.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"))
        })?;
        writeln!(io::stdout(), "Listening on http://{}", listener.local_addr()?)?;

        let site = Rc::new(site);
        let handle = |stream: TcpStream| {
            let site = site.clone();
            async move {
                // A client that breaks the connection ends its own task, and nothing else.
                let _ = answer(stream, &site).await;
            }
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "http: {error}"));
        serve(listener, shutdown.recv(), handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}

async fn answer(stream: TcpStream, site: &Site) -> io::Result<()> {
    // Answers are written whole. Holding back the end of one would only make the client wait.
    stream.set_nodelay(true)?;
    http(stream, site).await
}
