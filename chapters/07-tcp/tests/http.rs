//! The HTTP server: raw bytes in, exact bytes out.

use std::fs;
use std::future::{Future, pending};
use std::io::{self, Read, Write};
use std::net::{self, SocketAddr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use ch05_executor::spawn;
use ch07_tcp::servers::{Site, http, serve};
use ch07_tcp::{Runtime, TcpListener, TcpStream};
use conformance::{check_trace, demo, skip, watch};
use futures::channel::mpsc;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt};
use tempfile::TempDir;

/// More than the socket buffers of both sides hold by default.
const LARGE: usize = 8 * 1024 * 1024;

/// What the server of a test serves.
fn site() -> Site {
    let mut site = Site::default();
    site.add("/index.html", "<p>home");
    site.add("/style.css", "p {}");
    site.add("/guide/index.html", "<p>guide");
    site.add("/a b/é.txt", "spaced");
    site.add("/large", LARGE_BODY.as_slice());
    site
}

/// Bytes that repeat with a period which no buffer size shares.
static LARGE_BODY: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..LARGE).map(|place| (place % 251) as u8).collect());

struct Server {
    address: SocketAddr,
    /// How each connection ended, as it ends.
    ended: mpsc::UnboundedReceiver<io::Result<()>>,
}

/// Runs a server of [`site`], and a client, in one runtime.
fn with_server<F>(client: impl FnOnce(Server) -> F + Send + 'static)
where
    F: Future<Output = io::Result<()>>,
{
    watch(|| {
        let runtime = Runtime::new().expect("descriptors are left");
        let result = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            let (report, ended) = mpsc::unbounded();
            let site = Rc::new(site());
            let handle = move |stream| {
                let (site, report) = (site.clone(), report.clone());
                async move {
                    let result = http(stream, &site).await;
                    // The client of the test may be through.
                    let _ = report.unbounded_send(result);
                }
            };
            spawn(serve(listener, pending::<()>(), handle, |error| panic!("accept: {error}")));
            client(Server { address, ended }).await
        });
        drop(runtime);
        result.expect("loopback connections do not fail");
        check_trace();
    });
}

impl Server {
    /// Sends `request`, and reads until the server closes. The client's side stays open.
    async fn ask(&self, request: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Does a round trip of its own. Whatever was sent to the server before has reached it then.
    async fn is_well(&self) -> io::Result<()> {
        let answer = self.ask(GET_AND_CLOSE).await?;
        assert_eq!(answer, HOME_AND_CLOSED);
        Ok(())
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const GET_AND_CLOSE: &str = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
const HOME: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 7\r\n\
    Connection: keep-alive\r\n\
    \r\n\
    <p>home";
const HOME_AND_CLOSED: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 7\r\n\
    Connection: close\r\n\
    \r\n\
    <p>home";

const LARGE_HEAD: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: application/octet-stream\r\n\
    Content-Length: 8388608\r\n\
    Connection: keep-alive\r\n\
    \r\n";

/// An answer that says its status and nothing more.
fn bare(status: &str, connection: &str, header: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: {connection}\r\n{header}\r\n{status}",
        status.len()
    )
}

fn refused(status: &str) -> String {
    bare(status, "close", "")
}

/// Each request is answered so, and the next one on the same connection is answered, too.
fn answered(cases: Vec<(String, String)>) {
    with_server(async move |server| {
        for (request, answer) in cases {
            let both = server.ask(&format!("{request}{GET_AND_CLOSE}")).await?;
            assert_eq!(both, format!("{answer}{HOME_AND_CLOSED}"), "to {request:?}");
        }
        Ok(())
    });
}

/// Each request is answered so, and the connection is closed by the server, though more was asked.
fn answered_and_closed(cases: Vec<(String, String)>) {
    with_server(async move |server| {
        for (request, answer) in cases {
            let all = server.ask(&format!("{request}{GET}")).await?;
            assert_eq!(all, answer, "to {request:?}");
        }
        Ok(())
    });
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n")
}

#[test]
fn a_page_is_served() {
    answered(vec![(GET.into(), HOME.into())]);
}

#[test]
fn a_head_request_gets_the_head_of_the_answer_alone() {
    let head = |target: &str| get(target).replace("GET", "HEAD");
    let without_body =
        |answer: &str| answer.split_inclusive("\r\n\r\n").next().unwrap().to_string();
    answered(vec![
        (head("/"), without_body(HOME)),
        (head("/large"), LARGE_HEAD.into()),
        (head("/nowhere"), without_body(&bare("404 Not Found", "keep-alive", ""))),
    ]);
    let no_host = "HEAD / HTTP/1.1\r\n\r\n".to_string();
    answered_and_closed(vec![(no_host, without_body(&refused("400 Bad Request")))]);
}

#[test]
fn what_is_not_there_is_not_found() {
    let missing = || bare("404 Not Found", "keep-alive", "");
    answered(vec![
        (get("/nowhere"), missing()),
        (get("/index.html/"), missing()),
        (get("//"), missing()),
        (get("/a+b/"), missing()),
        (get("/guide/index.html/x"), missing()),
    ]);
}

#[test]
fn a_directory_is_its_index_page_and_is_called_by_its_slash() {
    let guide = HOME.replace("home", "guide").replace("Length: 7", "Length: 8");
    let moved = |to| bare("308 Permanent Redirect", "keep-alive", &format!("Location: {to}\r\n"));
    answered(vec![
        (get("/guide/"), guide.clone()),
        (get("/guide/index.html"), guide),
        (get("/guide"), moved("/guide/")),
        (get("/guide?page=1"), moved("/guide/")),
        (get("/%67uide"), moved("/%67uide/")),
        (get("//guide"), bare("404 Not Found", "keep-alive", "")),
    ]);
}

#[test]
fn a_query_is_ignored() {
    answered(vec![(get("/?a=/b?c"), HOME.into()), (get("/index.html?"), HOME.into())]);
}

#[test]
fn a_path_is_percent_decoded() {
    let spaced = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 6\r\nConnection: keep-alive\r\n\r\nspaced";
    let bad = || bare("400 Bad Request", "keep-alive", "");
    answered(vec![
        (get("/a%20b/%C3%A9.txt"), spaced.into()),
        (get("/%61%20b%2f%c3%a9.txt"), spaced.into()),
        (get("/%"), bad()),
        (get("/%6"), bad()),
        (get("/%6g"), bad()),
        (get("/%+6"), bad()),
    ]);
}

#[test]
fn a_whole_uri_may_stand_for_its_path() {
    answered(vec![
        (get("http://test/index.html"), HOME.into()),
        (get("http://test"), HOME.into()),
        (get("http://test?a=/b"), HOME.into()),
        (get("index.html"), bare("400 Bad Request", "keep-alive", "")),
        (get("%2Findex.html"), bare("400 Bad Request", "keep-alive", "")),
        (get("*"), bare("400 Bad Request", "keep-alive", "")),
    ]);
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let missing = || bare("404 Not Found", "keep-alive", "");
    answered(vec![
        (get("/../etc/passwd"), missing()),
        (get("/guide/../../../../../../../../etc/passwd"), missing()),
        (get("/%2e%2e/%2E%2E/etc/passwd"), missing()),
        (get("/..%2f..%2fetc%2fpasswd"), missing()),
        (get("//etc/passwd"), missing()),
        (get("/etc/passwd%00.html"), missing()),
        (get("/..%5c..%5cetc%5cpasswd"), missing()),
        // Not even one that stays inside.
        (get("/guide/../index.html"), missing()),
    ]);
}

#[test]
fn other_methods_are_not_allowed() {
    let not_allowed = || bare("405 Method Not Allowed", "keep-alive", "Allow: GET, HEAD\r\n");
    let ask = |line: &str| format!("{line} HTTP/1.1\r\nHost: test\r\n\r\n");
    answered(vec![
        (ask("DELETE /"), not_allowed()),
        (ask("OPTIONS *"), not_allowed()),
        (ask("CONNECT test:80"), not_allowed()),
        (ask("get /"), not_allowed()),
        ("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nGET".into(), not_allowed()),
    ]);
}

#[test]
fn malformed_requests_are_refused() {
    let bad = |request: &str| (request.to_string(), refused("400 Bad Request"));
    answered_and_closed(vec![
        bad("nonsense\r\n\r\n"),
        bad("GET /\r\n\r\n"),
        bad("GET / \r\n\r\n"),
        bad("GET  / HTTP/1.1\r\nHost: test\r\n\r\n"),
        bad("GET / / HTTP/1.1\r\nHost: test\r\n\r\n"),
        bad("GET / http/1.1\r\nHost: test\r\n\r\n"),
        bad("GET / HTTP/1.1 \r\nHost: test\r\n\r\n"),
        bad("GET / HTTP/1.1\r\nHost : test\r\n\r\n"),
        bad("GET / HTTP/1.1\r\nHost: test\r\n folded\r\n\r\n"),
        bad("GET / HTTP/1.1\r\nHost: te\0st\r\n\r\n"),
        bad("G\u{e9}T / HTTP/1.1\r\nHost: test\r\n\r\n"),
        bad("\u{16}\u{3}\u{1}"),
    ]);
}

#[test]
fn other_versions_are_not_supported() {
    let other = |version| {
        let request = format!("GET / {version}\r\nHost: test\r\n\r\n");
        (request, refused("505 HTTP Version Not Supported"))
    };
    answered_and_closed(vec![
        other("HTTP/2.0"),
        other("HTTP/1.2"),
        other("HTTP/0.9"),
        other("HTTP/3"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), refused("505 HTTP Version Not Supported")),
    ]);
}

#[test]
fn http_1_1_needs_one_host() {
    answered_and_closed(vec![
        ("GET / HTTP/1.1\r\n\r\n".into(), refused("400 Bad Request")),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n".into(), refused("400 Bad Request")),
        ("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n".into(), refused("400 Bad Request")),
        ("GET / HTTP/1.0\r\n\r\n".into(), HOME_AND_CLOSED.into()),
    ]);
}

#[test]
fn a_head_of_8_kib_is_read_and_a_longer_one_refused() {
    let of_length = |length: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n";
        let filler = "x".repeat(length - rest.len());
        let request = rest.replace("X: ", &format!("X: {filler}"));
        assert_eq!(request.len(), length);
        request
    };
    answered(vec![(of_length(8 * 1024), HOME.into())]);
    answered_and_closed(vec![
        (of_length(8 * 1024 + 1), refused("400 Bad Request")),
        (of_length(20 * 1024), refused("400 Bad Request")),
        ("\r\n".repeat(4 * 1024), refused("400 Bad Request")),
        (get(&format!("/{}", "x".repeat(9000))), refused("400 Bad Request")),
    ]);
}

#[test]
fn more_than_64_headers_are_refused() {
    let with = |headers: usize| {
        format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: x\r\n".repeat(headers - 1))
    };
    answered(vec![(with(64), HOME.into())]);
    answered_and_closed(vec![(with(65), refused("400 Bad Request"))]);
}

#[test]
fn transfer_encodings_are_not_implemented() {
    let ask = |headers: &str| format!("POST / HTTP/1.1\r\nHost: test\r\n{headers}\r\n0\r\n\r\n");
    answered_and_closed(vec![
        (ask("Transfer-Encoding: chunked\r\n"), refused("501 Not Implemented")),
        (ask("transfer-encoding:identity\r\n"), refused("501 Not Implemented")),
        // Two opinions on where the request ends: the door of request smuggling.
        (
            ask("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            refused("501 Not Implemented"),
        ),
    ]);
}

fn with_body(headers: &str, body: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: test\r\n{headers}\r\n{body}")
}

#[test]
fn a_body_is_dropped_and_the_next_request_is_found_behind_it() {
    let of_length = |length: usize| {
        with_body(&format!("Content-Length: {length}\r\n"), &GET[..1].repeat(length))
    };
    answered(vec![
        (with_body("Content-Length: 0\r\n", ""), HOME.into()),
        (with_body("content-length:  031 \r\n", &get("/nowhe")[..31]), HOME.into()),
        (with_body("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), HOME.into()),
        (of_length(20_000), HOME.into()),
        (of_length(64 * 1024), HOME.into()),
    ]);
}

#[test]
fn a_bad_or_conflicting_content_length_is_refused() {
    let bad = |headers: &str| (with_body(headers, "x"), refused("400 Bad Request"));
    answered_and_closed(vec![
        bad("Content-Length: x\r\n"),
        bad("Content-Length: \r\n"),
        bad("Content-Length: -1\r\n"),
        bad("Content-Length: +1\r\n"),
        bad("Content-Length: 0x1\r\n"),
        bad("Content-Length: 1 1\r\n"),
        bad("Content-Length: 1, 1\r\n"),
        bad("Content-Length: \u{661}\r\n"),
        bad("Content-Length: 99999999999999999999999999\r\n"),
        bad("Content-Length: 1\r\nContent-Length: 2\r\n"),
        bad("Content-Length: 1\r\nContent-Length: x\r\n"),
        bad("Content-Length: x\r\nContent-Length: x\r\n"),
    ]);
}

#[test]
fn a_body_over_64_kib_is_too_large() {
    let headers = format!("Content-Length: {}\r\n", 64 * 1024 + 1);
    answered_and_closed(vec![(with_body(&headers, ""), refused("413 Content Too Large"))]);
}

#[test]
fn a_client_that_reads_when_it_has_sent_too_much_still_gets_its_answer() {
    with_server(async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        let head = with_body(&format!("Content-Length: {}\r\n", 512 * 1024), "");
        stream.write_all(head.as_bytes()).await?;
        for _ in 0..512 {
            // Once the server had closed its read side, this would be answered by a reset, and
            // the write after it would fail.
            stream.write_all(&[b'x'; 1024]).await?;
            server.is_well().await?;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert_eq!(answer, refused("413 Content Too Large"));
        Ok(())
    });
}

#[test]
fn a_client_that_never_stops_is_cut_off() {
    with_server(async |mut server| {
        let mut stream = TcpStream::connect(server.address).await?;
        let chunk = [b'x'; 64 * 1024];
        while stream.write_all(&chunk).await.is_ok() {}
        server.ended.next().await.expect("the server runs")?;
        server.is_well().await
    });
}

#[test]
fn a_client_that_asks_for_leave_to_send_a_body_has_its_answer_at_once() {
    with_server(async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        let request = with_body("Expect: 100-continue\r\nContent-Length: 3\r\n", "");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = vec![0; HOME.len()];
        stream.read_exact(&mut answer).await?;
        assert_eq!(str::from_utf8(&answer), Ok(HOME));
        stream.write_all(format!("GET{GET_AND_CLOSE}").as_bytes()).await?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await?;
        assert_eq!(rest, HOME_AND_CLOSED);
        Ok(())
    });
}

#[test]
fn http_1_1_keeps_the_connection_until_told_to_close_it() {
    let ask = |headers: &str| format!("GET / HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
    answered(vec![
        (ask("Connection: keep-alive\r\n"), HOME.into()),
        (ask("Connection: upgrade, foreclose\r\n"), HOME.into()),
    ]);
    answered_and_closed(vec![
        (ask("Connection: close\r\n"), HOME_AND_CLOSED.into()),
        (ask("connection: x ,\tCLOSE\r\n"), HOME_AND_CLOSED.into()),
        (ask("Connection: keep-alive\r\nConnection: close\r\n"), HOME_AND_CLOSED.into()),
    ]);
}

#[test]
fn http_1_0_closes_the_connection_unless_told_to_keep_it() {
    let ask = |headers: &str| format!("GET / HTTP/1.0\r\n{headers}\r\n");
    answered(vec![(ask("Connection: Keep-Alive\r\n"), HOME.into())]);
    answered_and_closed(vec![
        (ask(""), HOME_AND_CLOSED.into()),
        (ask("Connection: keep-alive, close\r\n"), HOME_AND_CLOSED.into()),
    ]);
}

#[test]
fn a_client_that_has_said_all_gets_all_answers() {
    with_server(async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(format!("{GET}\r\n{GET}GET / HT").as_bytes()).await?;
        stream.close().await?;
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await?;
        assert_eq!(answers, HOME.repeat(2));
        Ok(())
    });
}

/// Requests of many kinds, sent together, and what they get.
fn script() -> (String, String) {
    let requests = [
        GET.to_string(),
        get("/style.css").replace("GET", "HEAD"),
        "\r\n".to_string() + &get("/a%20b/%C3%A9.txt?x"),
        "POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nGET / HTT".to_string(),
        get("/nowhere"),
        get("/guide"),
        "GET / HTTP/1.0\nConnection: keep-alive\n\n".to_string(),
        "GET / HTTP/2.0\r\n\r\n".to_string(),
        GET.to_string(),
    ];
    let answers = [
        HOME.to_string(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/css; charset=utf-8\r\nContent-Length: 4\r\n\
         Connection: keep-alive\r\n\r\n"
            .to_string(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\
         Connection: keep-alive\r\n\r\nspaced"
            .to_string(),
        bare("405 Method Not Allowed", "keep-alive", "Allow: GET, HEAD\r\n"),
        bare("404 Not Found", "keep-alive", ""),
        bare("308 Permanent Redirect", "keep-alive", "Location: /guide/\r\n"),
        HOME.to_string(),
        refused("505 HTTP Version Not Supported"),
    ];
    (requests.concat(), answers.concat())
}

/// A client in memory, whose bytes come and go in pieces of one size.
struct Pieces<'a> {
    requests: &'a [u8],
    answers: Vec<u8>,
    size: usize,
    writes: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let length = self.size.min(buffer.len()).min(self.requests.len());
        let (piece, rest) = self.requests.split_at(length);
        buffer[..length].copy_from_slice(piece);
        self.requests = rest;
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Pieces<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = self.size.min(bytes.len());
        self.answers.extend_from_slice(&bytes[..length]);
        self.writes += 1;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What `site` answers to requests in pieces of this size, and in how many writes.
fn in_pieces(site: &Site, requests: &str, size: usize) -> (Vec<u8>, usize) {
    let (requests, answers) = (requests.as_bytes(), Vec::new());
    let mut client = Pieces { requests, answers, size, writes: 0 };
    let runtime = Runtime::new().expect("descriptors are left");
    runtime.block_on(http(&mut client, site)).expect("nothing breaks in memory");
    (client.answers, client.writes)
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("the answers are text")
}

#[test]
fn pieces_of_any_size_get_the_same_answers() {
    watch(|| {
        let (site, (requests, answers)) = (site(), script());
        for size in 1..=requests.len() {
            let (received, _) = in_pieces(&site, &requests, size);
            assert_eq!(text(&received), answers, "in pieces of {size}");
        }
    });
}

#[test]
fn refusals_do_not_depend_on_the_pieces() {
    watch(|| {
        let site = site();
        let long = with_body(&format!("X: {}\r\n", "x".repeat(8 * 1024)), "");
        for (request, status) in [
            ("GET / HTTP/2\r\n\r\n", "505 HTTP Version Not Supported"),
            ("GET / HTTP/1.10\r\n\r\n", "400 Bad Request"),
            ("GET / HTTPS/1.1\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHo st: b\r\n\r\n", "400 Bad Request"),
            (&long, "400 Bad Request"),
        ] {
            let requests = format!("{GET}{request}{GET}");
            for size in (1..=64).chain([8 * 1024 - 1, 8 * 1024, 8 * 1024 + 1]) {
                let (received, _) = in_pieces(&site, &requests, size);
                let expected = format!("{HOME}{}", refused(status));
                assert_eq!(text(&received), expected, "to {request:?} in pieces of {size}");
            }
        }
    });
}

#[test]
fn requests_that_come_together_are_answered_together() {
    watch(|| {
        let (answers, writes) = in_pieces(&site(), &GET.repeat(100), usize::MAX);
        assert_eq!(text(&answers), HOME.repeat(100));
        assert_eq!(writes, 1);
    });
}

#[test]
fn answers_that_are_too_long_to_be_collected_keep_their_order() {
    watch(|| {
        let requests = format!("{GET}{}{GET}", get("/large")).repeat(3);
        let (answers, _) = in_pieces(&site(), &requests, usize::MAX);
        let once = [HOME.as_bytes(), LARGE_HEAD.as_bytes(), &LARGE_BODY, HOME.as_bytes()].concat();
        assert!(answers == once.repeat(3));
    });
}

#[test]
fn a_script_that_is_cut_at_any_place_gets_the_same_answers_over_a_socket() {
    with_server(async |server| {
        let (requests, answers) = script();
        let mut other = TcpStream::connect(server.address).await?;
        for place in 1..requests.len() {
            let (first, second) = requests.as_bytes().split_at(place);
            let mut stream = TcpStream::connect(server.address).await?;
            stream.write_all(first).await?;
            // The server has been through all it was sent when it answers this.
            other.write_all(GET.as_bytes()).await?;
            other.read_exact(&mut vec![0; HOME.len()]).await?;
            stream.write_all(second).await?;
            let mut received = String::new();
            stream.read_to_string(&mut received).await?;
            assert_eq!(received, answers, "cut at {place}");
        }
        Ok(())
    });
}

#[test]
fn a_slow_reader_gets_a_large_body_whole_and_holds_up_nobody() {
    with_server(async |server| {
        let mut slow = TcpStream::connect(server.address).await?;
        slow.write_all(
            get("/large").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes(),
        )
        .await?;
        for _ in 0..100 {
            server.is_well().await?;
        }
        let mut received = Vec::new();
        let mut buffer = [0; 50_001];
        loop {
            match slow.read(&mut buffer).await? {
                0 => break,
                length => received.extend_from_slice(&buffer[..length]),
            }
        }
        let body = received.len() - LARGE;
        assert!(received[..body].ends_with(b"\r\n\r\n"));
        assert!(received[body..] == LARGE_BODY[..]);
        Ok(())
    });
}

#[test]
fn a_silent_client_holds_up_nobody() {
    with_server(async |server| {
        let _silent = TcpStream::connect(server.address).await?;
        let mut half = TcpStream::connect(server.address).await?;
        half.write_all(b"GET / HT").await?;
        for _ in 0..100 {
            server.is_well().await?;
        }
        half.write_all(b"TP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        half.read_to_string(&mut answer).await?;
        assert_eq!(answer, HOME_AND_CLOSED);
        Ok(())
    });
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_body_ends_its_own_task_alone() {
    with_server(async |mut server| {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(get("/large").as_bytes()).await?;
        stream.read_exact(&mut [0; 1000]).await?;
        drop(stream);
        let ended = server.ended.next().await.expect("the server runs");
        let kind = ended.expect_err("the body could not be sent").kind();
        assert!(
            matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
            "{kind:?}"
        );
        server.is_well().await
    });
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_request_ends_its_own_task_alone() {
    with_server(async |mut server| {
        for request in ["", "GET / HT", &with_body("Content-Length: 9\r\n", "xxx")] {
            let mut stream = TcpStream::connect(server.address).await?;
            stream.write_all(request.as_bytes()).await?;
            stream.close().await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            drop(stream);
            server.ended.next().await.expect("the server runs")?;
            server.is_well().await?;
            server.ended.next().await.expect("the server runs")?;
        }
        Ok(())
    });
}

#[test]
fn a_reset_ends_its_own_task_alone() {
    with_server(async |mut server| {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(GET.as_bytes()).await?;
        stream.read_exact(&mut vec![0; HOME.len()]).await?;
        let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&stream, sockopt::Linger, &at_once)?;
        drop(stream);
        let ended = server.ended.next().await.expect("the server runs");
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        server.is_well().await
    });
}

/// A directory of its own for one test, which goes with it.
struct Directory(TempDir);

impl Directory {
    fn new() -> Directory {
        Directory(TempDir::new().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, body: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
}

fn answer_of(site: &Site, target: &str) -> String {
    let (answer, _) = in_pieces(site, &get(target), usize::MAX);
    text(&answer).to_string()
}

fn status_of(site: &Site, target: &str) -> String {
    answer_of(site, target).lines().next().unwrap_or_default().replace("HTTP/1.1 ", "")
}

#[test]
fn a_directory_is_served_with_all_below_it() {
    watch(|| {
        let directory = Directory::new();
        directory.write("index.html", "home");
        directory.write("deep/er/page.html", "deep");
        directory.write("deep/index.html", "deep");
        directory.write("no page/x.png", "png");
        let site = Site::load(directory.path()).unwrap();
        assert_eq!(status_of(&site, "/"), "200 OK");
        assert_eq!(status_of(&site, "/deep/er/page.html"), "200 OK");
        assert_eq!(status_of(&site, "/deep/"), "200 OK");
        assert_eq!(status_of(&site, "/deep"), "308 Permanent Redirect");
        assert_eq!(status_of(&site, "/deep/er"), "404 Not Found");
        assert_eq!(status_of(&site, "/deep/er/"), "404 Not Found");
        assert_eq!(status_of(&site, "/no%20page/x.png"), "200 OK");
    });
}

#[test]
fn a_file_is_served_as_it_was_when_it_was_loaded() {
    watch(|| {
        let directory = Directory::new();
        directory.write("page.txt", "before");
        let site = Site::load(directory.path()).unwrap();
        directory.write("page.txt", "after");
        directory.write("late.txt", "late");
        assert!(answer_of(&site, "/page.txt").ends_with("\r\n\r\nbefore"));
        assert_eq!(status_of(&site, "/late.txt"), "404 Not Found");
    });
}

#[test]
fn dotfiles_links_and_pipes_are_left_out() {
    watch(|| {
        let directory = Directory::new();
        directory.write("inside/page.txt", "inside");
        directory.write("inside/.secret", "secret");
        directory.write("inside/.git/config", "secret");
        directory.write("outside/secret.txt", "secret");
        let inside = directory.path().join("inside");
        symlink(directory.path().join("outside/secret.txt"), inside.join("link.txt")).unwrap();
        symlink(directory.path().join("outside"), inside.join("linked")).unwrap();
        symlink(".", inside.join("loop")).unwrap();
        nix::unistd::mkfifo(&inside.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        // The directory itself may be named by a link.
        symlink("inside", directory.path().join("name")).unwrap();
        let site = Site::load(directory.path().join("name")).unwrap();
        assert_eq!(status_of(&site, "/page.txt"), "200 OK");
        for path in [
            "/.secret",
            "/.git/config",
            "/link.txt",
            "/linked/secret.txt",
            "/loop/page.txt",
            "/pipe",
            "/../outside/secret.txt",
            "/%2e%2e/outside/secret.txt",
            "/..%2foutside%2fsecret.txt",
        ] {
            assert_eq!(status_of(&site, path), "404 Not Found", "{path}");
        }
    });
}

#[test]
fn the_type_of_a_file_follows_its_name() {
    watch(|| {
        let mut site = Site::default();
        for (name, content_type) in [
            ("/a.html", "text/html; charset=utf-8"),
            ("/a.min.css", "text/css; charset=utf-8"),
            ("/a.js", "text/javascript; charset=utf-8"),
            ("/a.json", "application/json"),
            ("/a.txt", "text/plain; charset=utf-8"),
            ("/a.xml", "application/xml"),
            ("/a.svg", "image/svg+xml"),
            ("/A.PNG", "image/png"),
            ("/a.jpeg", "image/jpeg"),
            ("/a.ico", "image/x-icon"),
            ("/a.woff2", "font/woff2"),
            ("/html", "application/octet-stream"),
            ("/a.html/plain", "application/octet-stream"),
            ("/a.", "application/octet-stream"),
        ] {
            site.add(name, "");
            let answer = answer_of(&site, name);
            let header = format!("\r\nContent-Type: {content_type}\r\n");
            assert!(answer.contains(&header), "{name}: {answer}");
        }
    });
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = Directory::new();
    let missing = directory.path().join("missing");
    let error = Site::load(&missing).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot read {}: No such file", missing.display())),
        "{text}"
    );

    directory.write("file", "");
    let error = Site::load(directory.path().join("file")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
}

/// Starts the example, has a client use it, and ends it with a signal.
fn with_example(
    arguments: &[&str],
    signal: Signal,
    client: impl FnOnce(SocketAddr) + Send + 'static,
) {
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
    watch(move || {
        let server = conformance::Server::run(demo::example("http").args(&arguments));
        let address = server.address.strip_prefix("http://").unwrap_or_else(|| panic!("no URL"));
        client(address.parse().unwrap());
        let outcome = server.stop(signal);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), "Bye.\n"));
    });
}

fn ask_blocking(address: SocketAddr, request: &str) -> String {
    let mut stream = net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The example ends with this status, and one line on standard error.
fn fails(arguments: &[&str], status: i32, line: &str) {
    let outcome = demo::finish_within_deadline(demo::example("http").args(arguments));
    assert_eq!(outcome.stderr, format!("{line}\n"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""));
}

#[test]
fn the_example_serves_a_welcome_and_ends_on_ctrl_c() {
    with_example(&["127.0.0.1:0"], Signal::SIGINT, |address| {
        let answer = ask_blocking(address, GET_AND_CLOSE);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("the HTTP server of chapter 7"), "{answer}");
        let answer = ask_blocking(address, &GET_AND_CLOSE.replace("/ ", "/nowhere "));
        assert_eq!(answer, refused("404 Not Found"));
    });
}

#[test]
fn the_example_serves_a_directory_and_ends_on_sigterm() {
    let directory = Directory::new();
    directory.write("index.html", "<p>home");
    let path = directory.path().to_str().unwrap();
    with_example(&["127.0.0.1:0", path], Signal::SIGTERM, |address| {
        assert_eq!(ask_blocking(address, GET_AND_CLOSE), HOME_AND_CLOSED);
    });
}

#[test]
fn a_client_that_stays_does_not_keep_the_example_from_ending() {
    let (keep, kept) = std::sync::mpsc::channel();
    with_example(&["127.0.0.1:0"], Signal::SIGINT, move |address| {
        keep.send(net::TcpStream::connect(address).unwrap()).unwrap();
        ask_blocking(address, GET_AND_CLOSE);
    });
    drop(kept);
}

#[test]
fn curl_is_pleased_with_the_example() {
    with_example(&["127.0.0.1:0"], Signal::SIGINT, |address| {
        let url = format!("http://{address}/");
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "20"])
            .args(["--write-out", "%{http_code} %{num_connects}\n", &url, &url])
            .output();
        let curl = match curl {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return skip("there is no curl here");
            }
            curl => curl.unwrap(),
        };
        assert_eq!(curl.status.code(), Some(0), "{}", String::from_utf8_lossy(&curl.stderr));
        // The second request needs no connection of its own.
        let stdout = text(&curl.stdout);
        assert!(stdout.contains("200 1\n") && stdout.ends_with("200 0\n"), "{stdout}");
    });
}

#[test]
fn a_busy_port_gives_one_line_and_status_1() {
    watch(|| {
        let busy = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = busy.local_addr().unwrap().to_string();
        let line = format!("http: cannot serve on {address}: Address already in use (os error 98)");
        fails(&[&address], 1, &line);
    });
}

#[test]
fn a_bad_address_gives_one_line_and_status_1() {
    watch(|| {
        fails(&["nonsense"], 1, "http: cannot serve on nonsense: invalid socket address");
        fails(&["127.0.0.1:x"], 1, "http: cannot serve on 127.0.0.1:x: invalid port value");
    });
}

#[test]
fn an_unreadable_directory_gives_one_line_and_status_1() {
    watch(|| {
        let line = "http: cannot read /nonexistent: No such file or directory (os error 2)";
        fails(&["127.0.0.1:0", "/nonexistent"], 1, line);
    });
}

#[test]
fn wrong_usage_gives_one_line_and_status_2() {
    watch(|| {
        let line = "usage: http ADDRESS [DIRECTORY], for example: http 127.0.0.1:3000 book/book";
        fails(&[], 2, line);
        fails(&["127.0.0.1:0", "x", "y"], 2, line);
    });
}
