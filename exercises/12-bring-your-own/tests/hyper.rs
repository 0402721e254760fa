//! HTTP/1 over sockets: hyper on this runtime's streams, executor and clock.

mod common;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ch07_tcp::TcpListener;
use ch09_fairness::Coop;
use ch10_join_cancel::{Drained, UntilStopped, serve};
use ch11_threads::spawn_blocking;
use ch12_bring_your_own::http1;
use common::http::{Reply, answer, echo, get, read_head, read_reply};
use common::{Count, run};
use futures::executor::block_on;
use futures::io::AllowStdIo;
use hyper::service::service_fn;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt::Linger};

/// Serves while `client` runs on a thread of its own. All connections come to their end by themselves.
/// `connections` counts them.
fn serving(connections: &Count, client: impl FnOnce(SocketAddr) + Send + 'static) {
    let connections = connections.clone();
    run(|| async move {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let handle = |stream: UntilStopped<ch07_tcp::TcpStream>| {
            connections.add();
            async move {
                let (stream, stopped) = stream.into_parts();
                // A client that breaks the connection is its own problem.
                let _ = http1(Coop(stream), service_fn(answer), stopped).await;
            }
        };
        let mut outcome = None;
        let client = spawn_blocking(move || client(address));
        let shutdown = async { outcome = Some(client.await) };
        let report = |error| panic!("{error}");
        let drained = serve(listener, shutdown, Duration::from_secs(20), handle, report).await;
        outcome.expect("it is over").expect("the client does not panic");
        assert_eq!(drained.aborted, 0, "{drained:?}");
    });
}

struct Client(AllowStdIo<TcpStream>);

impl Client {
    fn connect(to: SocketAddr) -> Client {
        let stream = TcpStream::connect(to).expect("the server listens");
        stream.set_nodelay(true).expect("it is a TCP stream");
        Client(AllowStdIo::new(stream))
    }

    fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("the connection holds");
    }

    fn hear(&mut self) -> Option<Reply> {
        block_on(read_reply(&mut self.0))
    }

    fn ask(&mut self, request: &str) -> Reply {
        self.say(request);
        self.hear().expect("an answer")
    }
}

#[test]
fn one_connection_serves_request_after_request() {
    let connections = Count::default();
    serving(&connections, |server| {
        let mut client = Client::connect(server);
        for path in ["/a", "/b", "/c"] {
            let said = format!("You have asked for {path}");
            assert_eq!(client.ask(&get(path)), Reply::ok(&said));
        }
    });
    assert_eq!(connections.get(), 1);
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order() {
    serving(&Count::default(), |server| {
        let mut client = Client::connect(server);
        client.say(&[get("/a"), echo("between"), get("/b")].concat());
        assert_eq!(client.hear(), Some(Reply::ok("You have asked for /a")));
        assert_eq!(client.hear(), Some(Reply::ok("between")));
        assert_eq!(client.hear(), Some(Reply::ok("You have asked for /b")));
    });
}

#[test]
fn a_body_of_a_mebibyte_comes_back_whole() {
    serving(&Count::default(), |server| {
        let body: String =
            (0..1 << 20).map(|place| char::from(b'a' + (place % 23) as u8)).collect();
        let mut client = Client::connect(server);
        assert!(client.ask(&echo(&body)) == Reply::ok(&body));
        // The connection is as good as before.
        assert_eq!(client.ask(&echo("once more")), Reply::ok("once more"));
    });
}

#[test]
fn a_body_may_come_in_chunks() {
    serving(&Count::default(), |server| {
        let mut client = Client::connect(server);
        client.say("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.say("5\r\nhello\r\n");
        client.say("7\r\n, world\r\n0\r\n\r\n");
        assert_eq!(client.hear(), Some(Reply::ok("hello, world")));
    });
}

#[test]
fn a_head_is_answered_without_a_body_and_what_is_not_there_with_404() {
    serving(&Count::default(), |server| {
        let mut client = Client::connect(server);
        client.say(&get("/a").replace("GET", "HEAD"));
        assert_eq!(block_on(read_head(&mut client.0)), Some(Reply::ok("")));
        assert_eq!(client.ask(&get("/nowhere")).status, 404);
        assert_eq!(client.ask(&get("/a")).status, 200);
    });
}

#[test]
fn a_request_may_come_in_pieces() {
    serving(&Count::default(), |server| {
        let mut client = Client::connect(server);
        for piece in echo("in pieces").as_bytes().chunks(3) {
            client.say(str::from_utf8(piece).expect("it is ASCII"));
        }
        assert_eq!(client.hear(), Some(Reply::ok("in pieces")));
    });
}

#[test]
fn what_is_no_http_is_answered_with_400_and_the_end() {
    serving(&Count::default(), |server| {
        let mut client = Client::connect(server);
        let reply = client.ask("What time is it?\r\n\r\n");
        assert_eq!((reply.status, reply.closes), (400, true));
        assert_eq!(client.hear(), None);
    });
}

#[test]
fn clients_that_break_off_end_alone() {
    let connections = Count::default();
    serving(&connections, |server| {
        let mut other = Client::connect(server);
        let halves =
            ["", "GET / HT", "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhal"];
        for half in halves {
            Client::connect(server).say(half);

            // This one resets the connection, instead of closing it.
            let mut client = Client::connect(server);
            client.say(half);
            let at_once = linger { l_onoff: 1, l_linger: 0 };
            setsockopt(client.stream(), Linger, &at_once).expect("it is a socket");
        }
        // In the middle of an answer that no socket buffer holds.
        let mut client = Client::connect(server);
        client.say(&echo(&"x".repeat(8 << 20)));
        drop(client);
        assert_eq!(other.ask(&get("/a")), Reply::ok("You have asked for /a"));
    });
    assert_eq!(connections.get(), 8);
}

#[test]
fn a_hundred_clients_at_once_are_served() {
    let connections = Count::default();
    serving(&connections, |server| {
        let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(server)).collect();
        for _ in 0..10 {
            for client in &mut clients {
                client.say(&get("/a"));
            }
            for client in &mut clients {
                assert_eq!(client.hear(), Some(Reply::ok("You have asked for /a")));
            }
        }
    });
    assert_eq!(connections.get(), 100);
}

#[test]
fn a_stop_closes_the_connections_that_are_idle() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let handle = |stream: UntilStopped<ch07_tcp::TcpStream>| async move {
            let (stream, stopped) = stream.into_parts();
            http1(Coop(stream), service_fn(answer), stopped).await.expect("a clean end");
        };
        let idle = spawn_blocking(move || {
            let mut client = Client::connect(address);
            assert_eq!(client.ask(&get("/a")).status, 200);
            client
        });
        // The server stops as soon as the client has its answer, and keeps the connection.
        let mut kept = None;
        let shutdown = async { kept = Some(idle.await.expect("the client does not panic")) };
        let report = |error| panic!("{error}");
        let drained = serve(listener, shutdown, Duration::from_secs(3600), handle, report).await;
        assert_eq!(drained, Drained { finished: 1, aborted: 0 });
        let mut client = kept.expect("it was there");
        assert_eq!(client.hear(), None);
    });
}
