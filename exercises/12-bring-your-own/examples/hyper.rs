//! hyper on this course's runtime:
//! `cargo run --release -q -p ch12-bring-your-own --example hyper -- 127.0.0.1:3000`, then
//! `curl -i http://127.0.0.1:3000/`. With `http2` behind the address it speaks HTTP/2:
//! `curl -i --http2-prior-knowledge http://127.0.0.1:3000/`. Ctrl-C ends it.

use std::convert::Infallible;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use ch07_tcp::{ShutdownSignal, TcpListener, TcpStream};
use ch08_timers::sleep;
use ch09_fairness::Coop;
use ch10_join_cancel::{UntilStopped, serve};
use ch11_threads::{Config, Runtime};
use ch12_bring_your_own::{http1, http2};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, is_http2) = match arguments.as_slice() {
        [address] => (address, false),
        [address, "http2"] => (address, true),
        _ => {
            eprintln!("usage: hyper ADDRESS [http2], for example: hyper 127.0.0.1:3000");
            return ExitCode::from(2);
        }
    };
    match run(address, is_http2) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyper: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, is_http2: bool) -> io::Result<()> {
    Runtime::new(Config::default())?.block_on(async {
        let shutdown = ShutdownSignal::new()?;
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"))
        })?;
        writeln!(io::stdout(), "Listening on http://{}", listener.local_addr()?)?;

        let handle = move |stream: UntilStopped<TcpStream>| async move {
            let (stream, stopped) = stream.into_parts();
            let _ = stream.set_nodelay(true);
            let service = service_fn(answer);
            // A client that breaks the connection ends its own task, and nothing else.
            let _ = if is_http2 {
                http2(Coop(stream), service, stopped).await
            } else {
                http1(Coop(stream), service, stopped).await
            };
        };
        // A reader of our messages that has gone is no reason to stop serving.
        let report = |error| drop(writeln!(io::stderr(), "hyper: {error}"));
        let patience = Duration::from_secs(5);
        serve(listener, shutdown.recv(), patience, handle, report).await;
        let _ = writeln!(io::stdout(), "Bye.");
        Ok(())
    })
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => {
            (StatusCode::OK, Bytes::from("Hello from hyper, on a runtime of ours.\n"))
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
