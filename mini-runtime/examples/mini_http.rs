//! A small HTTP/1.1 server: `cargo run --release -q -p mini-runtime --example mini_http -- 127.0.0.1:3000`,
//! then `curl -i http://127.0.0.1:3000/` or `curl -d hello http://127.0.0.1:3000/echo`.
//!
//! One task for each client. A connection is kept for the next request, and for half a minute without one.
//! Requests may come one behind the other before the first is answered.

use std::env;
use std::io;
use std::net::Shutdown;
use std::process::ExitCode;
use std::time::Duration;

use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned, IoBuf};
use mini_runtime::net::{TcpListener, TcpStream};
use mini_runtime::time::timeout;
use mini_runtime::{Runtime, spawn};

/// A request may have as many bytes: what is longer is refused.
const MAX_REQUEST: usize = 64 * 1024;
const MAX_HEADERS: usize = 64;
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address] = arguments.as_slice() else {
        eprintln!("usage: mini_http ADDRESS, for example: mini_http 127.0.0.1:3000");
        return ExitCode::from(2);
    };
    match run(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini_http: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str) -> io::Result<()> {
    let runtime = Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)?;
        println!("Listening on {}", listener.local_addr()?);
        println!("on {}", runtime.driver());
        loop {
            match listener.accept().await {
                // A client that breaks the connection ends its own task, and nothing else.
                Ok((stream, _)) => drop(spawn(async move { drop(serve(stream).await) })),
                // It concerns one client, or is over as soon as another one has gone.
                Err(error) => eprintln!("mini_http: {error}"),
            }
        }
    })
}

/// Answers one request after the other.
async fn serve(stream: TcpStream) -> io::Result<()> {
    // Answers are sent whole. Holding back the end of one would only make the client wait.
    stream.set_nodelay(true)?;
    let mut received = Vec::with_capacity(4096);
    loop {
        let answer = match parse(&received) {
            Ok(Some(request)) => {
                let answer = respond(&request);
                received.drain(..request.length);
                answer
            }
            Ok(None) if received.len() < MAX_REQUEST => {
                let start = received.len();
                received.reserve(4096);
                let room = received.capacity();
                // The buffer is lent behind what is in it already, and comes back with the rest.
                let read = timeout(PATIENCE, stream.read(received.slice(start..room))).await?;
                received = read.1.into_inner();
                if read.0? == 0 {
                    return Ok(());
                }
                continue;
            }
            Ok(None) => Answer::last("413 Content Too Large"),
            Err(status) => Answer::last(status),
        };
        stream.write_all(answer.to_bytes()).await.0?;
        if !answer.keeps_alive {
            return close(&stream).await;
        }
    }
}

/// Says that this was all, and hears the client out, within reason. The kernel resets a connection that is
/// dropped before all was read, and the client might lose the last answer by that.
async fn close(stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let mut buffer = Vec::with_capacity(4096);
    for _ in 0..MAX_REQUEST / 4096 {
        let (read, back) = timeout(PATIENCE, stream.read(buffer)).await?;
        buffer = back;
        if read? == 0 {
            break;
        }
    }
    Ok(())
}

struct Request<'r> {
    method: &'r str,
    path: &'r str,
    body: &'r [u8],
    keeps_alive: bool,
    /// With its body.
    length: usize,
}

/// The request that the bytes begin with. `None` if more have to come first.
///
/// # Errors
/// With the status of the answer, if nobody knows where the request ends.
fn parse(bytes: &[u8]) -> Result<Option<Request<'_>>, &'static str> {
    const BAD_REQUEST: &str = "400 Bad Request";

    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BAD_REQUEST),
    };
    let mut body = 0;
    let mut keeps_alive = request.version == Some(1);
    for header in request.headers.iter() {
        let value = str::from_utf8(header.value).map_err(|_| BAD_REQUEST)?.trim();
        if header.name.eq_ignore_ascii_case("Content-Length") {
            body = value.parse().map_err(|_| BAD_REQUEST)?;
        } else if header.name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err("501 Not Implemented");
        } else if header.name.eq_ignore_ascii_case("Connection") {
            keeps_alive &= !value.eq_ignore_ascii_case("close");
        }
    }
    if body > MAX_REQUEST {
        return Err("413 Content Too Large");
    }
    let length = head + body;
    let (Some(method), Some(path)) = (request.method, request.path) else {
        return Err(BAD_REQUEST);
    };
    let body = bytes.get(head..length);
    Ok(body.map(|body| Request { method, path, body, keeps_alive, length }))
}

struct Answer {
    status: &'static str,
    body: Vec<u8>,
    /// The body is described, and not sent.
    is_head: bool,
    keeps_alive: bool,
}

impl Answer {
    /// One that says its status, and closes the connection.
    fn last(status: &'static str) -> Answer {
        let body = format!("{status}\n").into_bytes();
        Answer { status, body, is_head: false, keeps_alive: false }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let connection = if self.keeps_alive { "keep-alive" } else { "close" };
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Connection: {connection}\r\n\r\n",
            self.status,
            self.body.len()
        )
        .into_bytes();
        if !self.is_head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn respond(request: &Request<'_>) -> Answer {
    let (status, body) = match (request.method, request.path) {
        ("GET" | "HEAD", "/") => ("200 OK", b"Hello from mini-runtime.\n".to_vec()),
        ("POST", "/echo") => ("200 OK", request.body.to_vec()),
        (_, "/" | "/echo") => ("405 Method Not Allowed", b"Not in this way.\n".to_vec()),
        _ => ("404 Not Found", b"Nothing is here.\n".to_vec()),
    };
    let is_head = request.method == "HEAD";
    Answer { status, body, is_head, keeps_alive: request.keeps_alive }
}
