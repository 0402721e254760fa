//! Chapter 7's HTTP server, on epoll or on a ring:
//! `cargo run --release -q -p ch14-swap --example swapped_http -- 127.0.0.1:3000 ring`, then
//! `curl -i http://127.0.0.1:3000/`. The driver is `auto`, `epoll` or `ring`. With a directory behind
//! that it serves the files in there, as they were when it started. Ctrl-C ends it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;

use ch07_tcp::ShutdownSignal;
use ch07_tcp::servers::{Site, http, serve};
use ch14_swap::{Config, DriverKind, Runtime, TcpListener, TcpStream};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let Some((address, driver, site)) = parse(&arguments) else {
        eprintln!(
            "usage: swapped_http ADDRESS [auto|epoll|ring [DIRECTORY]], such as 127.0.0.1:3000 ring book"
        );
        return ExitCode::from(2);
    };
    match site.and_then(|site| run(&address.to_string_lossy(), driver, site)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swapped_http: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[OsString]) -> Option<(&OsStr, DriverKind, io::Result<Site>)> {
    let (address, driver, site) = match arguments {
        [address] => (address, "auto".as_ref(), Ok(Site::welcome())),
        [address, driver] => (address, driver.as_os_str(), Ok(Site::welcome())),
        [address, driver, directory] => (address, driver.as_os_str(), Site::load(directory)),
        _ => return None,
    };
    let driver = match driver.to_str()? {
        "auto" => DriverKind::Auto,
        "epoll" => DriverKind::Epoll,
        "ring" => DriverKind::Ring,
        _ => return None,
    };
    Some((address, driver, site))
}

// ANCHOR: run
fn run(address: &str, driver: DriverKind, site: Site) -> io::Result<()> {
    let runtime = Runtime::new(Config { driver, ..Config::default() })?;
    let sleeps_on = if runtime.ring().is_some() { "a ring" } else { "epoll" };
    runtime.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"))
        })?;
        writeln!(io::stdout(), "Listening on http://{}, on {sleeps_on}", listener.local_addr()?)?;

        let site = Rc::new(site);
        let handle = |stream: TcpStream| {
            let site = site.clone();
            async move {
                // A client that breaks the connection ends its own task, and nothing else.
                let _ = answer(stream, &site).await;
            }
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "swapped_http: {error}"));
        serve(listener, shutdown.recv(), handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}
// ANCHOR_END: run

async fn answer(stream: TcpStream, site: &Site) -> io::Result<()> {
    // Answers are written whole. Holding back the end of one would only make the client wait.
    stream.set_nodelay(true)?;
    http(stream, site).await
}
