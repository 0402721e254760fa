//! Chapter 12's hyper, on epoll or on a ring:
//! `cargo run --release -q -p ch14-swap --example swapped_hyper -- 127.0.0.1:3000 ring`, then
//! `curl -i http://127.0.0.1:3000/`. The driver is `auto`, `epoll` or `ring`. Ctrl-C ends it.

use std::convert::Infallible;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use ch07_tcp::ShutdownSignal;
use ch08_timers::sleep;
use ch09_fairness::Coop;
use ch10_join_cancel::{UntilStopped, serve};
use ch12_bring_your_own::http1;
use ch14_swap::{Config, DriverKind, Runtime, TcpListener, TcpStream};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, driver) = match arguments.as_slice() {
        [address] | [address, "auto"] => (address, DriverKind::Auto),
        [address, "epoll"] => (address, DriverKind::Epoll),
        [address, "ring"] => (address, DriverKind::Ring),
        _ => {
            eprintln!(
                "usage: swapped_hyper ADDRESS [auto|epoll|ring], such as 127.0.0.1:3000 ring"
            );
            return ExitCode::from(2);
        }
    };
    match run(address, driver) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swapped_hyper: {error}");
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
        writeln!(io::stdout(), "Listening on http://{}, on {sleeps_on}", listener.local_addr()?)?;

        let handle = |stream: UntilStopped<TcpStream>| async {
            let (stream, stopped) = stream.into_parts();
            let _ = stream.set_nodelay(true);
            // A client that breaks the connection ends its own task, and nothing else.
            let _ = http1(Coop(stream), service_fn(answer), stopped).await;
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "swapped_hyper: {error}"));
        let patience = Duration::from_secs(5);
        serve(listener, shutdown.recv(), patience, handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}
// ANCHOR_END: run

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => {
            (StatusCode::OK, Bytes::from("Hello from hyper, on a ring or not.\n"))
        }
        (&Method::GET, "/slow") => {
            sleep(Duration::from_millis(100)).await;
            (StatusCode::OK, Bytes::from("A tenth of a second later.\n"))
        }
        (&Method::POST, "/echo") => match request.into_body().collect().await {
            Ok(body) => (StatusCode::OK, body.to_bytes()),
            Err(_) => (StatusCode::BAD_REQUEST, Bytes::new()),
        },
        _ => (StatusCode::NOT_FOUND, Bytes::from("Nothing is here.\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}
