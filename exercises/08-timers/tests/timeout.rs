//! A future, or the end of its time: whichever comes first.

mod common;

use std::cell::Cell;
use std::future::{pending, poll_fn, ready};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ch05_executor::spawn;
use ch07_tcp::{TcpListener, TcpStream};
use ch08_timers::{Elapsed, Runtime, Timers, sleep, timeout};
use common::{HOUR, MS, SECOND, checked, now, start, virtual_runtime};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};

/// Says when it is dropped.
struct Held(Rc<Cell<bool>>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// A future that never ends by itself, and a flag that says whether it is gone.
fn never() -> (impl Future<Output = ()>, Rc<Cell<bool>>) {
    let is_gone = Rc::new(Cell::new(false));
    let held = Held(is_gone.clone());
    let future = async move {
        let _held = held;
        sleep(Duration::MAX).await;
    };
    (future, is_gone)
}

#[test]
fn a_future_in_time_gives_its_output_and_the_deadline_is_taken_back() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            let answer = timeout(HOUR, async {
                sleep(SECOND).await;
                42
            });
            assert_eq!(answer.await, Ok(42));
            assert_eq!((now() - began, Timers::current().len()), (SECOND, 0));
        });
    });
}

#[test]
fn a_future_that_is_late_is_dropped_and_the_time_is_over() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            let (never, is_gone) = never();
            let mut limited = pin!(timeout(SECOND, never));
            assert_eq!(limited.as_mut().await, Err(Elapsed));
            // The timeout itself is still there. What it held is not.
            assert!(is_gone.get());
            assert_eq!(now() - began, SECOND);
        });
    });
}

#[test]
fn a_future_that_is_ready_wins_against_no_time_at_all() {
    checked(|| {
        virtual_runtime().block_on(async {
            assert_eq!(timeout(Duration::ZERO, ready(42)).await, Ok(42));
            assert_eq!(timeout(Duration::ZERO, pending::<()>()).await, Err(Elapsed));
        });
    });
}

#[test]
fn a_future_that_is_ready_in_the_moment_in_which_its_time_ends_wins() {
    checked(|| {
        virtual_runtime().block_on(async {
            for (work, limit) in [(HOUR, HOUR), (2 * HOUR, HOUR)] {
                let limited = timeout(limit, sleep(work));
                Timers::current().clock().advance(2 * HOUR);
                assert_eq!(limited.await, Ok(()));
            }
        });
    });
}

#[test]
fn the_time_runs_from_the_call() {
    checked(|| {
        virtual_runtime().block_on(async {
            let limited = timeout(HOUR, pending::<()>());
            sleep(HOUR).await;
            let late = now();
            assert_eq!(limited.await, Err(Elapsed));
            assert_eq!(now(), late);
        });
    });
}

#[test]
fn the_longest_timeout_is_none() {
    checked(|| {
        virtual_runtime().block_on(async {
            assert_eq!(timeout(Duration::MAX, sleep(1_000 * 365 * 24 * HOUR)).await, Ok(()));
        });
    });
}

#[test]
fn the_inner_of_two_timeouts_may_end_first_and_the_outer_one_too() {
    checked(|| {
        virtual_runtime().block_on(async {
            let inner_first = timeout(2 * SECOND, timeout(SECOND, pending::<()>()));
            assert_eq!(inner_first.await, Ok(Err(Elapsed)));
            let outer_first = timeout(SECOND, timeout(2 * SECOND, pending::<()>()));
            assert_eq!(outer_first.await, Err(Elapsed));
            assert!(Timers::current().is_empty());
        });
    });
}

#[test]
fn a_dropped_timeout_drops_its_future_and_takes_the_deadline_back() {
    checked(|| {
        virtual_runtime().block_on(async {
            let (never, is_gone) = never();
            let mut limited = Box::pin(timeout(HOUR, never));
            assert!(futures::poll!(limited.as_mut()).is_pending());
            assert_eq!(Timers::current().len(), 1);
            drop(limited);
            assert!(is_gone.get());
            assert!(Timers::current().is_empty());
        });
    });
}

#[test]
fn a_future_that_is_polled_often_has_one_deadline() {
    checked(|| {
        virtual_runtime().block_on(async {
            let mut polls = 0;
            let busy = poll_fn(move |cx| {
                polls += 1;
                assert!(Timers::current().len() <= 1);
                if polls == 100 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            assert_eq!(timeout(HOUR, busy).await, Ok(()));
        });
        if trace::ENABLED {
            assert_eq!(common::timer_events(), "set1 cancel1");
        }
    });
}

#[test]
fn the_end_of_the_time_is_an_error_that_says_so() {
    let error = io::Error::from(Elapsed);
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!((error.to_string(), Elapsed.to_string()), two("the time is over"));
    assert!(error.downcast::<Elapsed>().is_ok());

    fn two(text: &str) -> (String, String) {
        (text.into(), text.into())
    }
}

#[test]
fn a_read_that_never_comes_times_out_and_the_stream_still_works() {
    checked(|| {
        let done = Runtime::new().unwrap().block_on(async {
            let mut listener = TcpListener::bind("127.0.0.1:0")?;
            let mut client = TcpStream::connect(listener.local_addr()?).await?;
            let mut server = listener.next().await.expect("a listener never ends")?;

            let mut byte = [0];
            let late = timeout(20 * MS, client.read(&mut byte)).await;
            assert_eq!(late.expect_err("nothing was sent"), Elapsed);

            // The read that was dropped has taken nothing, and nobody is in the way of the next.
            server.write_all(b"x").await?;
            assert_eq!(timeout(HOUR, client.read(&mut byte)).await??, 1);
            assert_eq!(byte, *b"x");
            assert!(Timers::current().is_empty());
            io::Result::Ok(())
        });
        done.expect("loopback connections do not fail");
    });
}

#[test]
fn packets_and_deadlines_wake_in_one_loop() {
    checked(|| {
        let done = Runtime::new().unwrap().block_on(async {
            let mut listener = TcpListener::bind("127.0.0.1:0")?;
            let address = listener.local_addr()?;
            spawn(async move {
                let mut peer = listener.next().await.expect("a listener never ends").unwrap();
                let mut byte = [0];
                while peer.read(&mut byte).await.unwrap() == 1 {
                    sleep(MS).await;
                    peer.write_all(&byte).await.unwrap();
                }
            });
            let mut client = TcpStream::connect(address).await?;
            let mut byte = [0];
            for number in 0..20 {
                client.write_all(&[number]).await?;
                timeout(HOUR, client.read_exact(&mut byte)).await??;
                assert_eq!(byte, [number]);
            }
            io::Result::Ok(())
        });
        done.expect("loopback connections do not fail");
    });
}

#[test]
fn tasks_with_timeouts_do_not_wait_for_each_other() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            let ends: Vec<_> = (1..=100)
                .map(|seconds| {
                    start(timeout(seconds * SECOND, sleep(50 * SECOND)).map(|end| end.is_ok()))
                })
                .collect();
            let mut in_time = 0;
            for end in ends {
                in_time += usize::from(end.await.unwrap());
            }
            assert_eq!((in_time, now() - began), (51, 50 * SECOND));
        });
    });
}
