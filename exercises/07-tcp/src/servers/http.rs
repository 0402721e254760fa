use std::io;
use std::ops::Range;

use futures::io::{copy, sink};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::site::{File, Site};

/// The request line and the headers of one request fit into this many bytes, or are refused.
const MAX_HEAD: usize = 8 * 1024;
/// How many headers a request may have.
const MAX_HEADERS: usize = 64;
/// A body up to this length is read and dropped. A longer one costs the client its connection.
const MAX_BODY: usize = 64 * 1024;
/// Room for what was received. More than `MAX_HEAD`, so that an unfinished head never fills it.
const INPUT: usize = 16 * 1024;
/// Answers are collected up to this length before they are sent.
const OUTPUT: usize = 64 * 1024;
/// How much of what a client still says is listened to, once it has had its last answer.
const MAX_DRAIN: u64 = 1024 * 1024;

const BAD_REQUEST: &str = "400 Bad Request";

/// Answers the HTTP/1.1 requests of one client from `site`, until the client has said all, or either
/// side wants to close.
///
/// Requests may come in any pieces, and several at once: their answers go out in the same order, and
/// together. `GET` and `HEAD` are known. A request's body is read and dropped. When it is not sure
/// where a request ends, or its head is over 8 KiB, or its body over 64 KiB, its answer is the last.
///
/// There is no clock before chapter 8: a client that says nothing, or does not read, keeps its task
/// and its connection for as long as it likes, and answers have no `Date`.
///
/// # Errors
/// If the connection breaks.
///
/// # Cancel safety
/// Dropping the future drops the stream, be it in the middle of an answer.
pub async fn http(stream: impl AsyncRead + AsyncWrite + Unpin, site: &Site) -> io::Result<()> {
    let mut connection = Connection::new(stream);
    loop {
        let Some(answer) = answer(connection.received(), site) else {
            if connection.receive().await? {
                continue;
            }
            break;
        };
        // Before the body has come, which has no say in it. A client that asks for leave to send it
        // (`Expect: 100-continue`) has its answer thereby.
        connection.send(&answer).await?;
        if !answer.keep_alive || !connection.skip(answer.request_length).await? {
            break;
        }
    }
    connection.close().await
}

/// The answer to one request, and what becomes of the connection.
struct Answer<'s> {
    status: &'static str,
    /// A header line that only some answers have, or nothing.
    header: String,
    content_type: &'static str,
    body: &'s [u8],
    /// The request was a `HEAD`: the body is described, but not sent.
    head_only: bool,
    keep_alive: bool,
    /// The length of the request with its body. It is known if the connection is kept.
    request_length: usize,
}

impl Answer<'_> {
    /// An answer that says its status, and nothing more. The connection is closed after it.
    fn bare(status: &'static str) -> Self {
        Answer {
            status,
            header: String::new(),
            content_type: "text/plain; charset=utf-8",
            body: status.as_bytes(),
            head_only: false,
            keep_alive: false,
            request_length: 0,
        }
    }
}

/// Answers the request that `received` starts with. `None` if more of it has to come first.
fn answer<'s>(received: &[u8], site: &'s Site) -> Option<Answer<'s>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    // Looking no further, a request gets the same answer whatever the pieces that it comes in.
    let head = &received[..received.len().min(MAX_HEAD)];
    let head_length = match request.parse(head) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if head.len() < MAX_HEAD => return None,
        Err(httparse::Error::Version) if names_http(head) => {
            return Some(Answer::bare("505 HTTP Version Not Supported"));
        }
        _ => return Some(Answer::bare(BAD_REQUEST)),
    };
    let head_only = request.method == Some("HEAD");
    Some(match framing(&request) {
        // Nobody knows where the next request starts: this is the last answer.
        Err(status) => Answer { head_only, ..Answer::bare(status) },
        Ok(Framing { keep_alive, body_length }) => Answer {
            head_only,
            keep_alive,
            request_length: head_length + body_length,
            ..respond(&request, site)
        },
    })
}

/// Whether an HTTP version stands where it belongs, be it one that we do not speak.
fn names_http(head: &[u8]) -> bool {
    let version = head.split(|&byte| byte == b' ').nth(2);
    version.is_some_and(|version| version.starts_with(b"HTTP/"))
}

/// Where a request ends, and whether another may follow.
struct Framing {
    keep_alive: bool,
    body_length: usize,
}

/// # Errors
/// With the status of the answer, if the end of the request is not known, or too far away.
fn framing(request: &httparse::Request<'_, '_>) -> Result<Framing, &'static str> {
    let values = |name: &'static str| {
        let named = move |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
        request.headers.iter().filter(named).map(|header| header.value)
    };
    let is_1_1 = request.version == Some(1);
    let hosts = values("Host").count();
    if hosts > 1 || (hosts == 0 && is_1_1) {
        return Err(BAD_REQUEST);
    }
    if values("Transfer-Encoding").next().is_some() {
        return Err("501 Not Implemented");
    }

    let mut lengths = values("Content-Length").map(content_length);
    let body_length = lengths.next().unwrap_or(Some(0)).ok_or(BAD_REQUEST)?;
    if lengths.any(|length| length != Some(body_length)) {
        return Err(BAD_REQUEST);
    }
    if body_length > MAX_BODY {
        return Err("413 Content Too Large");
    }

    let asks_to = |wish: &[u8]| {
        let mut words = values("Connection").flat_map(|value| value.split(|&byte| byte == b','));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(wish))
    };
    let keep_alive = !asks_to(b"close") && (is_1_1 || asks_to(b"keep-alive"));
    Ok(Framing { keep_alive, body_length })
}

fn content_length(value: &[u8]) -> Option<usize> {
    // `parse` alone would take a sign, too.
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

fn respond<'s>(request: &httparse::Request<'_, '_>, site: &'s Site) -> Answer<'s> {
    if !matches!(request.method, Some("GET" | "HEAD")) {
        let header = "Allow: GET, HEAD\r\n".into();
        return Answer { header, ..Answer::bare("405 Method Not Allowed") };
    }
    let encoded = path(request.path.unwrap_or_default());
    let Some(mut path) = percent_decode(encoded).filter(|_| encoded.starts_with('/')) else {
        return Answer::bare(BAD_REQUEST);
    };
    if let Some(File { content_type, body }) = site.file(&path) {
        return Answer { content_type, body, ..Answer::bare("200 OK") };
    }
    // Links in the page of a directory are relative to a path that ends with a slash.
    path.push(b'/');
    if site.file(&path).is_some() {
        let header = format!("Location: {encoded}/\r\n");
        return Answer { header, ..Answer::bare("308 Permanent Redirect") };
    }
    Answer::bare("404 Not Found")
}

/// The path in `/path?query`, or in `http://host/path?query`.
fn path(target: &str) -> &str {
    let end = target.find('?').unwrap_or(target.len());
    match target[..end].strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => &target[..end],
    }
}

/// `None` if a percent sign is not followed by two hexadecimal digits.
fn percent_decode(encoded: &str) -> Option<Vec<u8>> {
    let mut bytes = encoded.bytes();
    let mut decoded = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(match byte {
            b'%' => (digit()? * 16 + digit()?) as u8,
            _ => byte,
        });
    }
    Some(decoded)
}

/// A stream, what has come in and is not used up, and what has to go out.
struct Connection<S> {
    stream: S,
    input: Vec<u8>,
    received: Range<usize>,
    output: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S) -> Self {
        let (input, output) = (vec![0; INPUT], Vec::new());
        Connection { stream, input, received: 0..0, output }
    }

    fn received(&self) -> &[u8] {
        &self.input[self.received.clone()]
    }

    /// Waits for more bytes. `false` if the client has said all.
    async fn receive(&mut self) -> io::Result<bool> {
        // The client may wait for these before it says more.
        self.flush().await?;
        self.input.copy_within(self.received.clone(), 0);
        self.received = 0..self.received.len();
        let length = self.stream.read(&mut self.input[self.received.end..]).await?;
        self.received.end += length;
        Ok(length > 0)
    }

    /// Drops the next `length` bytes. `false` if the client ends before it has sent as many.
    async fn skip(&mut self, mut length: usize) -> io::Result<bool> {
        while length > self.received.len() {
            length -= self.received.len();
            self.received = 0..0;
            if !self.receive().await? {
                return Ok(false);
            }
        }
        self.received.start += length;
        Ok(true)
    }

    async fn send(&mut self, answer: &Answer<'_>) -> io::Result<()> {
        let Answer { status, header, content_type, body, .. } = answer;
        let length = body.len();
        let connection = if answer.keep_alive { "keep-alive" } else { "close" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Connection: {connection}\r\n{header}\r\n"
        );
        let body = if answer.head_only { &[] } else { *body };
        self.output.extend_from_slice(head.as_bytes());
        // A body that is too long to be collected goes out of the site's own memory.
        if self.output.len() + body.len() > OUTPUT {
            self.flush().await?;
            return self.stream.write_all(body).await;
        }
        self.output.extend_from_slice(body);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.output).await?;
        self.output.clear();
        self.stream.flush().await
    }

    /// Sends what is left, and closes.
    ///
    /// The kernel resets a connection that is dropped before all has been read, and a client that
    /// is still sending may lose our last answer by that. So we close our own side, and listen until
    /// the client has closed its side, too. Not for ever: a client that goes on and on is cut off.
    async fn close(mut self) -> io::Result<()> {
        self.flush().await?;
        self.stream.close().await?;
        copy(self.stream.take(MAX_DRAIN), &mut sink()).await?;
        Ok(())
    }
}
