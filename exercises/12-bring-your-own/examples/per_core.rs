//! hyper on all cores: a thread for each, with a runtime and a listener of its own.
//! `cargo run --release -q -p ch12-bring-your-own --example per_core -- 127.0.0.1:3000`, then
//! `curl -i http://127.0.0.1:3000/` a few times. A number behind the address is that of the threads.
//! Ctrl-C ends it, and it says how many clients have come to each.

use std::cell::Cell;
use std::convert::Infallible;
use std::env;
use std::io::{self, Write};
use std::net::ToSocketAddrs;
use std::num::NonZero;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread::available_parallelism;
use std::time::Duration;

use ch07_tcp::{ShutdownSignal, TcpListener, TcpStream};
use ch09_fairness::Coop;
use ch10_join_cancel::{UntilStopped, serve};
use ch11_threads::{Config, Runtime};
use ch12_bring_your_own::{Core, Cores, http1, listen_reuse_port, per_core};
use futures::StreamExt;
use futures::channel::mpsc::unbounded;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (address, threads) = match arguments.as_slice() {
        [address] => (address, available_parallelism().ok()),
        [address, threads] => (address, threads.parse::<NonZero<usize>>().ok()),
        _ => (&"", None),
    };
    let Some(threads) = threads else {
        eprintln!("usage: per_core ADDRESS [THREADS], for example: per_core 127.0.0.1:3000 2");
        return ExitCode::from(2);
    };
    match run(address, threads.get()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("per_core: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, threads: usize) -> io::Result<()> {
    let cores = Runtime::new(Config::default())?.block_on(async {
        // Before the threads: each of them starts with the signal mask of this one.
        let shutdown = ShutdownSignal::new()?;
        let cores = start(address, threads).await?;
        shutdown.recv().await?;
        cores.stop();
        io::Result::Ok(cores)
    })?;
    // A reader of our messages that has gone is no reason to end in another way.
    let mut out = io::stdout();
    for (index, served) in cores.join().into_iter().enumerate() {
        let _ = match served {
            Ok(clients) => writeln!(out, "Core {index} has served {clients} clients."),
            Err(_) => writeln!(out, "Core {index} has panicked."),
        };
    }
    let _ = writeln!(out, "Bye.");
    Ok(())
}

/// Starts a server on each core, and returns when all of them listen.
async fn start(address: &str, threads: usize) -> io::Result<Cores<usize>> {
    // It only keeps the port, until the others have it. Port 0 is another one for each who asks.
    let first = listen(address)?;
    let address = first.local_addr()?;
    let (tell, mut told) = unbounded();
    let cores = per_core(threads, move |core| {
        let tell = tell.clone();
        async move {
            let listener = match listen_reuse_port(address) {
                Ok(listener) => listener,
                Err(error) => {
                    // Nobody hears it if another core has had no luck either.
                    let _ = tell.unbounded_send(Err(error));
                    return 0;
                }
            };
            let _ = tell.unbounded_send(Ok(()));
            serve_on(core, listener).await
        }
    })?;
    for _ in 0..threads {
        told.next().await.expect("each core tells")?;
    }
    drop(first);
    writeln!(io::stdout(), "Listening on http://{address}")?;
    Ok(cores)
}

/// Finds the port if it is 0, and says at once if somebody else has it.
fn listen(address: &str) -> io::Result<TcpListener> {
    let resolved = address.to_socket_addrs().and_then(|mut addresses| {
        addresses.next().ok_or_else(|| io::Error::other("the name has no address"))
    });
    resolved.and_then(listen_reuse_port).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot serve on {address}: {error}"))
    })
}

/// Serves until it should stop. Returns how many clients have come.
async fn serve_on(core: Core, listener: TcpListener) -> usize {
    // One thread alone counts here, so a `Cell` is enough.
    let clients = Rc::new(Cell::new(0));
    let counted = clients.clone();
    let handle = move |stream: UntilStopped<TcpStream>| {
        counted.set(counted.get() + 1);
        async move {
            let (stream, stopped) = stream.into_parts();
            let _ = stream.set_nodelay(true);
            let answer = service_fn(async |_: Request<Incoming>| {
                let text = format!("Hello from core {}.\n", core.index);
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
            });
            // A client that breaks the connection ends its own task, and nothing else.
            let _ = http1(Coop(stream), answer, stopped).await;
        }
    };
    let report = move |error| drop(writeln!(io::stderr(), "core {}: {error}", core.index));
    serve(listener, core.stopped, Duration::from_secs(5), handle, report).await;
    clients.get()
}
