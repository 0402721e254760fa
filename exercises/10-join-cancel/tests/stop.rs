//! Telling many that it is time to end.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ch10_join_cancel::{Stop, UntilStopped, spawn};
use common::{Dropped, on_wake, on_waker_drop, run, turns};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

#[test]
fn everybody_who_waits_hears_of_it_in_the_order_of_asking() {
    run(async || {
        let stop = Stop::new();
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let (stop, log) = (stop.clone(), log.clone());
                spawn(async move {
                    stop.stopped().await;
                    log.borrow_mut().push(number);
                })
            })
            .collect();
        turns().await;
        assert!(log.borrow().is_empty() && !stop.is_stopped());
        stop.stop();
        assert!(stop.is_stopped());
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.borrow(), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn who_asks_after_the_stop_does_not_wait() {
    run(async || {
        let stop = Stop::new();
        let early = stop.stopped();
        stop.stop();
        stop.stop();
        early.await;
        stop.stopped().await;
        stop.clone().stopped().await;
    });
}

#[test]
fn a_stop_without_anybody_who_waits_is_no_error() {
    Stop::new().stop();
}

#[test]
fn who_waits_leaves_one_waker_and_takes_it_back() {
    let stop = Stop::new();
    let dropped = Dropped::default();
    let waker = || {
        let token = RefCell::new(Some(dropped.token()));
        on_waker_drop(move || drop(token.take()))
    };
    let mut stopped = Box::pin(stop.stopped());
    for polled in 0..3 {
        assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        assert_eq!(dropped.times(), polled, "all wakers but the last");
    }
    drop(stopped);
    assert_eq!(dropped.times(), 3, "a server that runs for years would collect them");
}

#[test]
fn one_future_that_waits_wakes_the_task_that_polled_it_last() {
    let stop = Stop::new();
    let woken = [Rc::new(Cell::new(0)), Rc::new(Cell::new(0))];
    let mut stopped = pin!(stop.stopped());
    for woken in woken.clone() {
        let waker = on_wake(move || woken.set(woken.get() + 1));
        assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    stop.stop();
    stop.stop();
    assert_eq!(woken.map(|woken| woken.get()), [0, 1]);
}

#[test]
fn a_waker_may_use_the_stop_while_it_is_woken() {
    let stop = Stop::new();
    let seen = Rc::new(Cell::new(false));
    let waker = on_wake({
        let (stop, seen) = (stop.clone(), seen.clone());
        move || {
            let mut again = pin!(stop.stopped());
            seen.set(again.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    });
    let mut stopped = pin!(stop.stopped());
    assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    stop.stop();
    assert!(seen.get());
}

#[test]
fn a_waker_may_stop_once_more_while_it_is_woken() {
    let stop = Stop::new();
    let wakes = Rc::new(Cell::new(0));
    let waker = on_wake({
        let (stop, wakes) = (stop.clone(), wakes.clone());
        move || {
            wakes.set(wakes.get() + 1);
            if wakes.get() == 1 {
                stop.stop();
            }
        }
    });
    let mut stopped = pin!(stop.stopped());
    assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    stop.stop();
    assert_eq!(wakes.get(), 1);
}

#[test]
fn a_waker_may_use_the_stop_while_it_is_dropped() {
    // Replaced by another waker, and taken back: both times it asks and waits anew.
    let stop = Stop::new();
    let waited = Rc::new(Cell::new(0));
    let waker = || {
        let (stop, waited) = (stop.clone(), waited.clone());
        on_waker_drop(move || {
            let mut again = pin!(stop.stopped());
            assert!(again.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            waited.set(waited.get() + 1);
        })
    };
    let mut stopped = Box::pin(stop.stopped());
    assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
    assert!(stopped.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
    assert_eq!(waited.get(), 1);
    drop(stopped);
    assert_eq!(waited.get(), 2);
}

/// A client in memory: says what it has to say, and then nothing, or that this was all.
#[derive(Default)]
struct Client {
    to_say: Vec<u8>,
    ends: bool,
    heard: Vec<u8>,
    vectored: bool,
    flushed: bool,
    closed: bool,
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let length = buffer.len().min(self.to_say.len());
        if length == 0 && !self.ends {
            return Poll::Pending;
        }
        buffer[..length].copy_from_slice(&self.to_say[..length]);
        self.to_say.drain(..length);
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.vectored = true;
        slices.iter().for_each(|slice| self.heard.extend_from_slice(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

fn saying(text: &str) -> Client {
    Client { to_say: text.into(), ..Client::default() }
}

/// Reads once, in a poll of its own.
fn read(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Poll<Vec<u8>> {
    let mut buffer = vec![0; length];
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(&mut cx, &mut buffer).map(|length| {
        buffer.truncate(length.expect("nothing breaks in memory"));
        buffer
    })
}

#[test]
fn the_bytes_that_are_there_come_before_the_end() {
    let stop = Stop::new();
    let mut stream = UntilStopped::new(saying("hello"), &stop);
    assert_eq!(read(&mut stream, 2), Poll::Ready(b"he".into()));
    stop.stop();
    assert_eq!(read(&mut stream, 2), Poll::Ready(b"ll".into()));
    assert_eq!(read(&mut stream, 2), Poll::Ready(b"o".into()));
    assert_eq!(read(&mut stream, 2), Poll::Ready(b"".into()));
    assert_eq!(read(&mut stream, 2), Poll::Ready(b"".into()));
}

#[test]
fn before_the_stop_the_stream_is_as_it_is() {
    let stop = Stop::new();
    let mut stream = UntilStopped::new(saying("hello"), &stop);
    assert_eq!(read(&mut stream, 9), Poll::Ready(b"hello".into()));
    assert_eq!(read(&mut stream, 9), Poll::Pending);
    let mut stream = UntilStopped::new(Client { ends: true, ..saying("hello") }, &stop);
    assert_eq!(read(&mut stream, 9), Poll::Ready(b"hello".into()));
    assert_eq!(read(&mut stream, 9), Poll::Ready(b"".into()));
}

#[test]
fn a_reader_that_waits_is_woken_by_the_stop() {
    run(async || {
        let stop = Stop::new();
        let mut stream = UntilStopped::new(saying("hello"), &stop);
        let reads = spawn(async move {
            let mut all = String::new();
            stream.read_to_string(&mut all).await.unwrap();
            all
        });
        turns().await;
        assert!(!reads.is_finished());
        stop.stop();
        assert_eq!(reads.await.unwrap(), "hello");
    });
}

#[test]
fn once_our_side_is_closed_the_client_is_heard_to_its_real_end() {
    run(async || {
        let stop = Stop::new();
        stop.stop();
        let mut client = Client::default();
        let mut stream = UntilStopped::new(&mut client, &stop);
        assert_eq!(read(&mut stream, 9), Poll::Ready(b"".into()));
        stream.close().await.unwrap();
        assert_eq!(read(&mut stream, 9), Poll::Pending);
        client.to_say = b"late".into();
        client.ends = true;
        let mut stream = UntilStopped::new(&mut client, &stop);
        stream.close().await.unwrap();
        assert_eq!(read(&mut stream, 9), Poll::Ready(b"late".into()));
        assert_eq!(read(&mut stream, 9), Poll::Ready(b"".into()));
    });
}

#[test]
fn writes_go_through_to_the_stream_also_after_the_stop() {
    run(async || {
        let stop = Stop::new();
        stop.stop();
        let mut client = Client::default();
        let mut stream = UntilStopped::new(&mut client, &stop);
        stream.write_all(b"one").await.unwrap();
        let both = [IoSlice::new(b" two"), IoSlice::new(b" three")];
        assert_eq!(stream.write_vectored(&both).await.unwrap(), 10);
        stream.flush().await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(client.heard, b"one two three");
        assert!(client.vectored && client.flushed && client.closed);
    });
}

#[test]
fn a_client_that_never_stops_sending_does_not_keep_the_thread() {
    /// Has something to say at each read.
    struct Flood;

    impl AsyncRead for Flood {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buffer.len()))
        }
    }

    run(async || {
        let mut stream = UntilStopped::new(Flood, &Stop::new());
        let listens = spawn(async move {
            let mut buffer = [0; 16];
            while stream.read(&mut buffer).await.unwrap() > 0 {}
        });
        turns().await;
        listens.abort();
        assert!(listens.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_read_that_the_budget_refuses_is_not_taken_for_the_end() {
    run(async || {
        let stop = Stop::new();
        stop.stop();
        let text: String = ('a'..='z').cycle().take(1000).collect();
        let mut stream = UntilStopped::new(saying(&text), &stop);
        // Far more reads in one poll than the budget has steps.
        let mut heard = String::new();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() > 0 {
            heard.push(byte[0].into());
        }
        assert_eq!(heard, text);
    });
}
