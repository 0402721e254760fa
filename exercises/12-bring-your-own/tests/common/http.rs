//! A service for the tests, and a client that reads one answer after the other.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

pub type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Says what it was asked for, gives back what is sent to `/echo`, and has nothing else.
pub async fn answer(request: Request<Incoming>) -> Answer {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, path) if path.len() <= 2 => {
            (StatusCode::OK, Bytes::from(format!("You have asked for {path}")))
        }
        (&Method::POST, "/echo") => match request.into_body().collect().await {
            Ok(body) => (StatusCode::OK, body.to_bytes()),
            Err(_) => (StatusCode::BAD_REQUEST, Bytes::new()),
        },
        _ => (StatusCode::NOT_FOUND, Bytes::new()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Whether the server says that this was the last one.
    pub closes: bool,
    pub body: String,
}

impl Reply {
    pub fn ok(body: &str) -> Reply {
        Reply { status: 200, closes: false, body: body.into() }
    }
}

/// Reads one answer. `None` at the end of the stream.
pub async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    read_parts(stream, true).await
}

/// Reads the answer to a HEAD, which tells the length of a body that it does not have.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Reply> {
    read_parts(stream, false).await
}

async fn read_parts(stream: &mut (impl AsyncRead + Unpin), has_body: bool) -> Option<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.expect("the connection holds") == 0 {
            assert!(head.is_empty(), "an answer that breaks off");
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).expect("a head is ASCII").to_lowercase();
    let status = head.strip_prefix("http/1.1 ").expect("a status line")[..3].parse();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![0; if has_body { length } else { 0 }];
    stream.read_exact(&mut body).await.expect("the connection holds");
    Some(Reply {
        status: status.expect("a status"),
        closes: head.contains("\r\nconnection: close\r\n"),
        body: String::from_utf8(body).expect("a text"),
    })
}

/// The request for a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// The request that has this come back.
pub fn echo(body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
