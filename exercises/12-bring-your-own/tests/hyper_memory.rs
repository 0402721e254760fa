//! hyper over connections in memory: streams that give little at a time, stops in the middle of a
//! request, and hours that take no time.

mod common;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ch08_timers::Timers;
use ch10_join_cancel::{Drained, JoinHandle, Stop, UntilStopped, serve, spawn};
use ch12_bring_your_own::{http1, http2};
use common::http::{Reply, answer, echo, get, read_reply};
use common::pipe::{End, pipe};
use common::{run_alone, turns};
use futures::channel::oneshot;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, stream};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};

async fn say(client: &mut End, text: &str) {
    client.write_all(text.as_bytes()).await.expect("the connection holds");
}

/// A client of `answer`, and the connection's task.
fn connect(longest: usize, stop: &Stop) -> (End, JoinHandle<hyper::Result<()>>) {
    let (client, server) = pipe(longest);
    let stopped = stop.stopped();
    (client, spawn(async move { http1(server, service_fn(answer), stopped).await }))
}

#[test]
fn a_stream_that_gives_a_byte_at_a_time_is_served() {
    run_alone(|| async {
        let (mut client, served) = connect(1, &Stop::new());
        say(&mut client, &[get("/a"), echo("byte by byte"), get("/b")].concat()).await;
        for body in ["You have asked for /a", "byte by byte", "You have asked for /b"] {
            assert_eq!(read_reply(&mut client).await, Some(Reply::ok(body)));
        }
        drop(client);
        served.await.expect("no panic").expect("a clean end");
    });
}

#[test]
fn a_client_that_is_silent_for_half_a_minute_is_let_go() {
    run_alone(|| async {
        for half in ["", "GET / HTTP/1.1\r\nHost: te"] {
            let timers = Timers::current();
            let start = timers.clock().now();
            let (mut client, served) = connect(99, &Stop::new());
            say(&mut client, half).await;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("the connection holds");
            assert_eq!(timers.clock().now() - start, Duration::from_secs(30));
            served.await.expect("no panic").expect_err("a timeout");
            turns().await;
            assert!(timers.is_empty(), "timers are left");
        }
    });
}

#[test]
fn a_client_that_asks_in_time_is_given_time_for_the_next_request() {
    run_alone(|| async {
        let (mut client, served) = connect(99, &Stop::new());
        for _ in 0..3 {
            ch08_timers::sleep(Duration::from_secs(29)).await;
            say(&mut client, &get("/a")).await;
            assert_eq!(read_reply(&mut client).await, Some(Reply::ok("You have asked for /a")));
        }
        drop(client);
        served.await.expect("no panic").expect("a clean end");
        turns().await;
        assert!(Timers::current().is_empty(), "timers are left");
    });
}

#[test]
fn what_is_being_answered_at_the_stop_is_answered_and_is_the_last() {
    run_alone(|| async {
        let (mut client, server) = pipe(99);
        let stop = Stop::new();
        let (finish, finished) = oneshot::channel::<()>();
        let begun = Rc::new(Cell::new(false));
        let service = service_fn({
            let begun = begun.clone();
            let finished = RefCell::new(Some(finished));
            move |_: Request<Incoming>| {
                begun.set(true);
                let finished = finished.take().expect("it is asked once");
                async move {
                    finished.await.expect("it is sent");
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("the last one"))))
                }
            }
        });
        let stopped = stop.stopped();
        let served = spawn(async move { http1(server, service, stopped).await });

        // The second request is there already. It is not taken any more.
        say(&mut client, &[get("/a"), get("/b")].concat()).await;
        turns().await;
        assert!(begun.get(), "the request was not understood");
        stop.stop();
        turns().await;
        assert!(!served.is_finished());
        finish.send(()).expect("the service waits");
        let last = Reply { closes: true, ..Reply::ok("the last one") };
        assert_eq!(read_reply(&mut client).await, Some(last));
        assert_eq!(read_reply(&mut client).await, None);
        served.await.expect("no panic").expect("a clean end");
    });
}

#[test]
fn a_connection_that_is_idle_at_the_stop_is_closed() {
    run_alone(|| async {
        let stop = Stop::new();
        let (mut client, served) = connect(99, &stop);
        say(&mut client, &get("/a")).await;
        assert_eq!(read_reply(&mut client).await, Some(Reply::ok("You have asked for /a")));
        stop.stop();
        assert_eq!(read_reply(&mut client).await, None);
        served.await.expect("no panic").expect("a clean end");
    });
}

#[test]
fn a_request_that_has_begun_at_the_stop_is_answered() {
    run_alone(|| async {
        let stop = Stop::new();
        let (mut client, served) = connect(99, &stop);
        let request = echo("half of it");
        let (half, other_half) = request.split_at(request.len() - 3);
        say(&mut client, half).await;
        turns().await;
        stop.stop();
        turns().await;
        say(&mut client, other_half).await;
        let last = Reply { closes: true, ..Reply::ok("half of it") };
        assert_eq!(read_reply(&mut client).await, Some(last));
        assert_eq!(read_reply(&mut client).await, None);
        served.await.expect("no panic").expect("a clean end");
    });
}

#[test]
fn a_client_that_has_said_nothing_yet_is_let_go_at_the_stop() {
    run_alone(|| async {
        let stop = Stop::new();
        let (mut client, served) = connect(99, &stop);
        turns().await;
        stop.stop();
        assert_eq!(read_reply(&mut client).await, None);
        served.await.expect("no panic").expect("a clean end");
    });
}

#[test]
fn a_client_that_does_not_end_its_request_is_cut_off_at_the_deadline_of_the_stop() {
    run_alone(|| async {
        let (mut client, server) = pipe(99);
        say(&mut client, "GET / HTTP/1.1\r\nHost: te").await;
        let connections = stream::iter([Ok(server)]).chain(stream::pending());
        let start = Timers::current().clock().now();
        let patience = Duration::from_secs(5);
        let drained = serve(
            connections,
            turns(),
            patience,
            |stream: UntilStopped<End>| async {
                let (stream, stopped) = stream.into_parts();
                let _ = http1(stream, service_fn(answer), stopped).await;
            },
            |error| panic!("{error}"),
        );
        assert_eq!(drained.await, Drained { finished: 0, aborted: 1 });
        assert_eq!(Timers::current().clock().now() - start, patience);
        drop(client);
    });
}

/// What an HTTP/2 server is told, and says: frames.
mod frames {
    use super::*;

    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;

    /// What every client begins with: the preface, and settings that are all left as they are.
    pub async fn begin(client: &mut End) {
        say(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        write(client, SETTINGS, 0, 0, &[]).await;
    }

    async fn write(client: &mut End, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        client.write_all(&frame).await.expect("the connection holds");
    }

    /// Asks for a path, on a stream with an odd number.
    pub async fn ask(client: &mut End, stream: u32, path: &str) {
        // GET and http stand in HPACK's table. The path (number 4) and the host (1) are spelled out.
        let mut block = vec![0x82, 0x86, 0x44, path.len() as u8];
        block.extend(path.bytes());
        block.extend([0x41, 4]);
        block.extend(b"test");
        // The headers end here (4), and so does the request (1).
        write(client, HEADERS, 4 | 1, stream, &block).await;
    }

    /// The next frame of the answers: its kind, its stream, what is in it. `None` at the end.
    pub async fn read(client: &mut End) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            if client.read(&mut head[..1]).await.expect("the connection holds") == 0 {
                return None;
            }
            client.read_exact(&mut head[1..]).await.expect("a whole frame");
            let [_, a, b, kind, flags, s0, s1, s2, s3] = head;
            let mut payload = vec![0; usize::from(a) * 256 + usize::from(b)];
            client.read_exact(&mut payload).await.expect("a whole frame");
            match kind {
                // Asks whether we are there: we are.
                PING if flags == 0 => write(client, PING, 1, 0, &payload).await,
                HEADERS | GOAWAY => {
                    return Some((kind, u32::from_be_bytes([s0, s1, s2, s3]), payload));
                }
                DATA if !payload.is_empty() => {
                    return Some((kind, u32::from_be_bytes([s0, s1, s2, s3]), payload));
                }
                _ => {}
            }
        }
    }

    /// The body of the next answer, and its stream.
    pub async fn read_answer(client: &mut End) -> (u32, String) {
        let (kind, stream, headers) = read(client).await.expect("an answer");
        // The status 200 is number 8 of HPACK's table.
        assert_eq!((kind, headers[0]), (HEADERS, 0x88));
        let (kind, same, body) = read(client).await.expect("a body");
        assert_eq!((kind, same), (DATA, stream));
        (stream, String::from_utf8(body).expect("a text"))
    }
}

#[test]
fn http2_answers_on_many_streams_of_one_connection() {
    run_alone(|| async {
        for longest in [1, 10_000] {
            let (mut client, server) = pipe(longest);
            let never = std::future::pending::<()>();
            let served = spawn(async move { http2(server, service_fn(answer), never).await });
            frames::begin(&mut client).await;
            for (stream, path) in [(1, "/a"), (3, "/b"), (5, "/c")] {
                frames::ask(&mut client, stream, path).await;
                let body = format!("You have asked for {path}");
                assert_eq!(frames::read_answer(&mut client).await, (stream, body));
            }
            drop(client);
            let _ = served.await.expect("no panic");
        }
    });
}

/// Answers `/1` when it is told to, and everything else at once. The future holds an `Rc`, and is
/// therefore not `Send`.
async fn first_waits(
    told: Rc<RefCell<Option<oneshot::Receiver<()>>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/1" {
        let receiver = told.take().expect("it is asked once");
        receiver.await.expect("it is sent");
    }
    assert!(told.borrow().is_none());
    Ok(Response::new(Full::new(Bytes::from(path))))
}

#[test]
fn http2_answers_a_quick_request_while_a_slow_one_waits_and_its_futures_need_not_be_send() {
    run_alone(|| async {
        let (mut client, server) = pipe(99);
        let (tell, told) = oneshot::channel();
        let told = Rc::new(RefCell::new(Some(told)));
        let service = service_fn(move |request| first_waits(told.clone(), request));
        let never = std::future::pending::<()>();
        let served = spawn(async move { http2(server, service, never).await });
        frames::begin(&mut client).await;
        frames::ask(&mut client, 1, "/1").await;
        frames::ask(&mut client, 3, "/2").await;
        assert_eq!(frames::read_answer(&mut client).await, (3, "/2".into()));
        tell.send(()).expect("the service waits");
        assert_eq!(frames::read_answer(&mut client).await, (1, "/1".into()));
        drop(client);
        let _ = served.await.expect("no panic");
    });
}

#[test]
fn http2_answers_at_the_stop_what_was_asked_before_and_ends() {
    run_alone(|| async {
        let (mut client, server) = pipe(99);
        let (tell, told) = oneshot::channel();
        let told = Rc::new(RefCell::new(Some(told)));
        let service = service_fn(move |request| first_waits(told.clone(), request));
        let stop = Stop::new();
        let stopped = stop.stopped();
        let served = spawn(async move { http2(server, service, stopped).await });
        frames::begin(&mut client).await;
        frames::ask(&mut client, 1, "/1").await;
        turns().await;
        stop.stop();
        assert_eq!(frames::read(&mut client).await.map(|frame| frame.0), Some(frames::GOAWAY));
        turns().await;
        assert!(!served.is_finished());
        tell.send(()).expect("the service waits");
        while let Some((kind, stream, content)) = frames::read(&mut client).await {
            if kind == frames::DATA {
                assert_eq!((stream, content.as_slice()), (1, &b"/1"[..]));
                break;
            }
        }
        served.await.expect("no panic").expect("a clean end");
    });
}
