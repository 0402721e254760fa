//! Chapter 7's HTTP server under `serve`: told to end while clients are in the middle of something.

mod common;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use ch07_tcp::servers::{Site, http};
use ch07_tcp::{TcpListener, TcpStream};
use ch09_fairness::Runtime;
use ch10_join_cancel::{Drained, JoinHandle, UntilStopped, serve, spawn};
use common::{run_in, runtime, turns, virtual_runtime};
use conformance::DEADLINE;
use futures::channel::oneshot;
use futures::{AsyncReadExt, AsyncWriteExt};

/// More than the socket buffers of both sides hold by default.
const LARGE: usize = 8 * 1024 * 1024;

fn site() -> Site {
    let mut site = Site::default();
    site.add("/index.html", "<p>home");
    site.add("/large", vec![b'x'; LARGE]);
    site
}

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const GET_LARGE: &str = "GET /large HTTP/1.1\r\nHost: test\r\n\r\n";
const HOME: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: text/html; charset=utf-8\r\n\
    Content-Length: 7\r\n\
    Connection: keep-alive\r\n\
    \r\n\
    <p>home";

struct Server {
    address: SocketAddr,
    stop: RefCell<Option<oneshot::Sender<()>>>,
    serving: RefCell<Option<JoinHandle<Drained>>>,
}

impl Server {
    fn start(patience: Duration) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (stop, told) = oneshot::channel::<()>();
        let site = Rc::new(site());
        let handle = move |stream: UntilStopped<TcpStream>| {
            let site = site.clone();
            // A client that breaks the connection ends its own task.
            async move { drop(http(stream, &site).await) }
        };
        let report = |error| panic!("accept: {error}");
        let serving = spawn(serve(listener, told, patience, handle, report));
        let (stop, serving) = (RefCell::new(Some(stop)), RefCell::new(Some(serving)));
        Ok(Server { address, stop, serving })
    }

    fn stop(&self) {
        let stop = self.stop.take().expect("a server is stopped once");
        stop.send(()).expect("the server runs");
    }

    async fn drained(&self) -> Drained {
        self.serving.take().expect("awaited once").await.expect("serve does not panic")
    }
}

fn with_server<F>(
    runtime: fn() -> Runtime,
    patience: Duration,
    body: impl FnOnce(Rc<Server>) -> F + Send + 'static,
) where
    F: Future<Output = io::Result<()>>,
{
    run_in(runtime, async move || {
        let server = Rc::new(Server::start(patience).expect("descriptors are left"));
        body(server).await.expect("no client sees an error");
    });
}

/// Reads `answer` as often as it comes, to the server's end. Whatever else comes is an error.
async fn count_answers(stream: &mut TcpStream, answer: &str) -> io::Result<usize> {
    let mut all = String::new();
    stream.read_to_string(&mut all).await?;
    let count = all.len() / answer.len();
    assert!(all == answer.repeat(count), "an answer is cut: {:?}", all.len() % answer.len());
    Ok(count)
}

#[test]
fn under_load_every_answer_is_whole_and_every_connection_ends_cleanly() {
    const CLIENTS: usize = 16;
    const BEFORE_STOP: usize = 400;
    with_server(runtime, DEADLINE, async |server| {
        let answers = Rc::new(Cell::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (server, answers) = (server.clone(), answers.clone());
                spawn(async move {
                    let mut stream = TcpStream::connect(server.address).await?;
                    // Some ask one thing at a time, some ask several at once.
                    let at_once = 1 + number % 4;
                    let (requests, expected) = (GET.repeat(at_once), HOME.repeat(at_once));
                    let mut bytes = Vec::new();
                    let mut answered = 0;
                    loop {
                        stream.write_all(requests.as_bytes()).await?;
                        bytes.clear();
                        let limit = expected.len() as u64;
                        (&mut stream).take(limit).read_to_end(&mut bytes).await?;
                        answered += bytes.len() / HOME.len();
                        let whole = bytes.len() / HOME.len() * HOME.len();
                        assert_eq!(bytes.len(), whole, "an answer is cut");
                        assert!(expected.as_bytes().starts_with(&bytes));
                        if bytes.len() < expected.len() {
                            // A clean end, and not a reset: `read_to_end` would have failed.
                            return io::Result::Ok(answered);
                        }
                        answers.set(answers.get() + at_once);
                        if answers.get() >= BEFORE_STOP && server.stop.borrow().is_some() {
                            server.stop();
                        }
                    }
                })
            })
            .collect();
        let mut answered = 0;
        for client in clients {
            answered += client.await.expect("the client does not panic")?;
        }
        let drained = server.drained().await;
        assert_eq!(drained.aborted, 0);
        assert!(drained.finished <= CLIENTS);
        assert!(answered >= BEFORE_STOP, "{answered}");
        Ok(())
    });
}

#[test]
fn what_was_asked_before_the_stop_is_answered_whole_though_the_answers_are_still_on_their_way() {
    with_server(runtime, DEADLINE, async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        // In one write, and short enough for one read of the server.
        stream.write_all(GET_LARGE.repeat(3).as_bytes()).await?;
        let mut first = [0];
        stream.read_exact(&mut first).await?;
        server.stop();
        turns().await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        let body = rest.iter().filter(|byte| **byte == b'x').count();
        // There is no `x` in the heads.
        assert_eq!(body, 3 * LARGE);
        drop(stream);
        assert_eq!(server.drained().await, Drained { finished: 1, aborted: 0 });
        Ok(())
    });
}

#[test]
fn what_is_asked_after_the_stop_ends_in_a_clean_close_and_not_in_a_reset() {
    with_server(runtime, DEADLINE, async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        let mut answer = vec![0; HOME.len()];
        stream.write_all(GET.as_bytes()).await?;
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, HOME.as_bytes());
        server.stop();
        // The server has closed its side.
        assert_eq!(stream.read(&mut answer).await?, 0);
        // The client may have sent this before it saw that.
        for _ in 0..100 {
            stream.write_all(GET.as_bytes()).await?;
            turns().await;
        }
        assert_eq!(stream.read(&mut answer).await?, 0);
        drop(stream);
        assert_eq!(server.drained().await, Drained { finished: 1, aborted: 0 });
        Ok(())
    });
}

#[test]
fn half_a_request_is_not_answered_and_its_client_sees_a_clean_close() {
    with_server(runtime, DEADLINE, async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        let (half, _) = GET.split_at(GET.len() / 2);
        stream.write_all(format!("{GET}{half}").as_bytes()).await?;
        let mut answer = vec![0; HOME.len()];
        stream.read_exact(&mut answer).await?;
        server.stop();
        assert_eq!(count_answers(&mut stream, HOME).await?, 0);
        drop(stream);
        assert_eq!(server.drained().await, Drained { finished: 1, aborted: 0 });
        Ok(())
    });
}

#[test]
fn clients_that_say_nothing_and_leave_when_they_are_told_do_not_hold_up_the_end() {
    with_server(runtime, DEADLINE, async |server| {
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let address = server.address;
                spawn(async move {
                    let mut stream = TcpStream::connect(address).await?;
                    stream.write_all(GET.as_bytes()).await?;
                    count_answers(&mut stream, HOME).await
                })
            })
            .collect();
        // All of them have been accepted when this one, the last, has its answer.
        turns().await;
        let mut last = TcpStream::connect(server.address).await?;
        last.write_all(GET.as_bytes()).await?;
        last.read_exact(&mut vec![0; HOME.len()]).await?;
        server.stop();
        for client in clients {
            assert_eq!(client.await.expect("the client does not panic")?, 1);
        }
        drop(last);
        assert_eq!(server.drained().await, Drained { finished: 11, aborted: 0 });
        Ok(())
    });
}

#[test]
fn a_client_that_does_not_read_its_answer_is_cut_off_at_the_deadline() {
    let patience = Duration::from_secs(3600);
    with_server(virtual_runtime, patience, async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(GET_LARGE.as_bytes()).await?;
        stream.read_exact(&mut [0]).await?;
        server.stop();
        assert_eq!(server.drained().await, Drained { finished: 0, aborted: 1 });
        Ok(())
    });
}

#[test]
fn a_client_that_stays_after_the_close_is_left_at_the_deadline() {
    let patience = Duration::from_secs(3600);
    with_server(virtual_runtime, patience, async |server| {
        let mut stream = TcpStream::connect(server.address).await?;
        stream.write_all(GET.as_bytes()).await?;
        stream.read_exact(&mut vec![0; HOME.len()]).await?;
        server.stop();
        assert_eq!(server.drained().await, Drained { finished: 0, aborted: 1 });
        assert_eq!(stream.read(&mut [0]).await?, 0, "it was told before");
        Ok(())
    });
}

#[test]
fn nobody_is_accepted_after_the_stop() {
    with_server(runtime, DEADLINE, async |server| {
        server.stop();
        assert_eq!(server.drained().await, Drained::default());
        let refused = TcpStream::connect(server.address).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}
