//! A server that ends in good order. The connections are made up, and an hour takes no time.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use ch08_timers::{Timers, sleep};
use ch10_join_cancel::{Drained, UntilStopped, serve, spawn};
use common::{Dropped, run_in, turns, virtual_runtime};
use futures::channel::{mpsc, oneshot};
use futures::stream;
use futures::{AsyncRead, AsyncReadExt};

const PATIENCE: Duration = Duration::from_secs(3600);

/// A client that says nothing, and stays.
struct Silent;

impl AsyncRead for Silent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

/// Serves a client to its end.
async fn to_the_end(mut stream: UntilStopped<Silent>) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.expect("nothing breaks in memory");
}

fn silent(count: usize) -> (mpsc::UnboundedSender<io::Result<Silent>>, Connections) {
    let (sender, connections) = mpsc::unbounded();
    (0..count).for_each(|_| sender.unbounded_send(Ok(Silent)).expect("somebody listens"));
    (sender, connections)
}

type Connections = mpsc::UnboundedReceiver<io::Result<Silent>>;

fn no_errors(error: io::Error) {
    panic!("{error}");
}

fn run<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    run_in(virtual_runtime, body);
}

/// Is over when everybody has had a few turns.
fn soon() -> impl Future {
    spawn(turns())
}

/// The time that `body` takes, on the runtime's clock.
async fn timed<T>(body: impl Future<Output = T>) -> (T, Duration) {
    let timers = Timers::current();
    let began = timers.clock().now();
    let output = body.await;
    (output, timers.clock().now() - began)
}

#[test]
fn tasks_that_read_to_the_end_are_drained_at_once() {
    run(async || {
        let (_open, connections) = silent(5);
        let serving = serve(connections, soon(), PATIENCE, to_the_end, no_errors);
        let (drained, took) = timed(serving).await;
        assert_eq!(drained, Drained { finished: 5, aborted: 0 });
        assert_eq!(took, Duration::ZERO);
    });
}

#[test]
fn tasks_that_do_not_end_are_cut_off_at_the_deadline() {
    run(async || {
        let (_open, connections) = silent(5);
        let dropped = Dropped::default();
        let served = Cell::new(0);
        let handle = |stream| {
            served.set(served.get() + 1);
            let (number, token) = (served.get(), dropped.token());
            async move {
                let _token = token;
                match number {
                    1 => to_the_end(stream).await,
                    2 => sleep(PATIENCE / 2).await,
                    3 => sleep(PATIENCE * 2).await,
                    _ => pending().await,
                }
            }
        };
        let serving = serve(connections, soon(), PATIENCE, handle, no_errors);
        let (drained, took) = timed(serving).await;
        assert_eq!(drained, Drained { finished: 2, aborted: 3 });
        assert_eq!(took, PATIENCE);
        assert_eq!(dropped.times(), 5, "all futures are gone when serve returns");
    });
}

#[test]
fn without_patience_the_others_are_cut_off_at_once() {
    run(async || {
        let (_open, connections) = silent(2);
        let serving = serve(connections, soon(), Duration::ZERO, |_| pending(), no_errors);
        let (drained, took) = timed(serving).await;
        assert_eq!(drained, Drained { finished: 0, aborted: 2 });
        assert_eq!(took, Duration::ZERO);
    });
}

#[test]
fn a_shutdown_while_nobody_is_connected_ends_at_once() {
    run(async || {
        let (tell, told) = oneshot::channel::<()>();
        let (_open, connections) = silent(0);
        let serving = spawn(serve(connections, told, PATIENCE, to_the_end, no_errors));
        turns().await;
        assert!(!serving.is_finished());
        tell.send(()).unwrap();
        let (drained, took) = timed(serving).await;
        assert_eq!(drained.unwrap(), Drained::default());
        assert_eq!(took, Duration::ZERO);
    });
}

#[test]
fn who_waits_to_be_accepted_at_the_shutdown_is_not_and_the_listener_is_closed_first() {
    run(async || {
        let (open, connections) = silent(3);
        let handle = |_| -> std::future::Ready<()> { panic!("accepted") };
        let drained = serve(connections, ready(()), PATIENCE, handle, no_errors).await;
        assert_eq!(drained, Drained::default());
        assert!(open.is_closed());

        let (open, connections) = silent(1);
        let closed = Rc::new(Cell::new(false));
        let seen = closed.clone();
        let handle = move |stream| {
            let (open, seen) = (open.clone(), seen.clone());
            async move {
                to_the_end(stream).await;
                seen.set(open.is_closed());
            }
        };
        serve(connections, soon(), PATIENCE, handle, no_errors).await;
        assert!(closed.get(), "told to end, while clients still came in");
    });
}

#[test]
fn a_server_ends_when_no_connections_come_any_more() {
    run(async || {
        let (open, connections) = silent(4);
        drop(open);
        let drained = serve(connections, pending::<()>(), PATIENCE, to_the_end, no_errors).await;
        assert_eq!(drained, Drained { finished: 4, aborted: 0 });
    });
}

#[test]
fn an_error_is_reported_and_the_next_connection_is_served() {
    run(async || {
        let errors = Rc::new(RefCell::new(Vec::new()));
        let served = Cell::new(0);
        let connections = stream::iter([
            Ok(Silent),
            Err(io::ErrorKind::ConnectionAborted.into()),
            Err(io::Error::other("another one")),
            Ok(Silent),
        ]);
        let handle = |stream| {
            served.set(served.get() + 1);
            to_the_end(stream)
        };
        let report = |error: io::Error| errors.borrow_mut().push(error.to_string());
        let drained = serve(connections, pending::<()>(), PATIENCE, handle, report).await;
        assert_eq!((served.get(), drained.finished), (2, 2));
        assert_eq!(*errors.borrow(), ["connection aborted", "another one"]);
    });
}

#[test]
fn a_task_that_panics_ends_alone() {
    run(async || {
        let (open, connections) = silent(3);
        let served = Rc::new(Cell::new(0));
        let seen = served.clone();
        let handle = move |stream| {
            seen.set(seen.get() + 1);
            let number = seen.get();
            async move {
                assert_ne!(number, 2, "as it should");
                to_the_end(stream).await;
            }
        };
        let (tell, told) = oneshot::channel::<()>();
        let serving = spawn(serve(connections, told, PATIENCE, handle, no_errors));
        turns().await;
        // The panic is over. More can come.
        open.unbounded_send(Ok(Silent)).unwrap();
        turns().await;
        assert_eq!(served.get(), 4);
        tell.send(()).unwrap();
        assert_eq!(serving.await.unwrap(), Drained { finished: 3, aborted: 0 });
    });
}

#[test]
fn tasks_that_have_ended_are_let_go_while_the_server_goes_on() {
    run(async || {
        let (open, connections) = silent(0);
        let handle = |_| ready(());
        let (tell, told) = oneshot::channel::<()>();
        let serving = spawn(serve(connections, told, PATIENCE, handle, no_errors));
        for _ in 0..100 {
            open.unbounded_send(Ok(Silent)).unwrap();
            turns().await;
        }
        tell.send(()).unwrap();
        assert_eq!(serving.await.unwrap(), Drained::default(), "they were not there at the stop");
    });
}

#[test]
fn a_server_that_is_dropped_drops_its_tasks() {
    run(async || {
        let (_open, connections) = silent(3);
        let dropped = Dropped::default();
        let token = dropped.clone();
        let handle = move |_| {
            let token = token.token();
            async move {
                let _token = token;
                pending().await
            }
        };
        let serving = spawn(serve(connections, pending::<()>(), PATIENCE, handle, no_errors));
        turns().await;
        assert_eq!(dropped.times(), 0);
        serving.abort();
        turns().await;
        turns().await;
        assert_eq!(dropped.times(), 3);
    });
}
