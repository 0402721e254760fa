//! A panic ends its task alone, and comes to who awaits the task.

mod common;

use std::cell::Cell;
use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use ch09_fairness::yield_now;
use ch10_join_cancel::{JoinError, spawn};
use common::{Dropped, OnDrop, no_task_is_left, run, runtime, turns};
use conformance::{check_trace, watch};

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

#[test]
fn a_panic_ends_its_task_and_no_other() {
    run(async || {
        let dropped = Dropped::default();
        let other = spawn(async {
            for _ in 0..5 {
                yield_now().await;
            }
            7
        });
        let token = dropped.token();
        let panics = spawn(async move {
            let _token = token;
            yield_now().await;
            panic!("as it should");
        });
        let error: JoinError = panics.await.unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(dropped.times(), 1);
        assert_eq!(other.await.unwrap(), 7);
    });
}

#[test]
fn a_panic_in_a_detached_task_ends_it_alone() {
    run(async || {
        drop(spawn(async { panic!("as it should") }));
        turns().await;
        assert_eq!(spawn(ready(7)).await.unwrap(), 7);
    });
}

#[test]
fn the_payload_of_a_panic_is_kept_as_it_was_thrown() {
    #[derive(Debug, PartialEq)]
    struct Custom(u32);
    run(async || {
        let error = spawn(async { panic!("plain") }).await.unwrap_err();
        assert_eq!(error.panic_text(), Some("plain"));
        assert_eq!(error.to_string(), "the task panicked: plain");
        assert_eq!(format!("{error:?}"), "Panicked(Some(\"plain\"))");

        let number = 7;
        let error = spawn(async move { panic!("number {number}") }).await.unwrap_err();
        assert_eq!(error.panic_text(), Some("number 7"));

        let error = spawn(async { panic_any(Custom(7)) }).await.unwrap_err();
        assert_eq!(error.panic_text(), None);
        assert_eq!(error.to_string(), "the task panicked");
        let payload = error.try_into_panic().expect("it is a panic");
        assert_eq!(payload.downcast_ref(), Some(&Custom(7)));
    });
}

#[test]
fn a_payload_can_be_thrown_on() {
    run(async || {
        let error = spawn(async { panic!("from far away") }).await.unwrap_err();
        let payload = error.try_into_panic().expect("it is a panic");
        let thrown = catch_unwind(AssertUnwindSafe(|| resume_unwind(payload))).unwrap_err();
        assert_eq!(thrown.downcast_ref(), Some(&"from far away"));
    });
}

#[test]
fn a_cancelled_task_has_no_payload() {
    run(async || {
        let handle = spawn(pending::<()>());
        handle.abort();
        let error = handle.await.unwrap_err();
        assert_eq!(error.panic_text(), None);
        assert_eq!(error.to_string(), "the task was cancelled");
        assert_eq!(format!("{error:?}"), "Cancelled");
        assert!(!error.is_panic());
        assert!(error.try_into_panic().unwrap_err().is_cancelled());
    });
}

/// A future by hand: an `async` block has dropped what it held before it is ready.
struct Explosive {
    _bomb: Bomb,
}

impl Future for Explosive {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(7)
    }
}

#[test]
fn a_panic_while_a_finished_future_is_dropped_takes_the_place_of_its_output() {
    run(async || {
        let task = spawn(Explosive { _bomb: Bomb("late") });
        assert_eq!(task.await.unwrap_err().panic_text(), Some("late"));
    });
}

#[test]
fn a_panic_while_an_aborted_future_is_dropped_is_the_outcome() {
    run(async || {
        let task = spawn(async {
            let _bomb = Bomb("on the way out");
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        assert_eq!(task.await.unwrap_err().panic_text(), Some("on the way out"));
    });
}

#[test]
fn a_panic_while_the_executor_drops_a_future_is_the_outcome_and_the_rest_is_dropped() {
    watch(|| {
        let dropped = Dropped::default();
        let runtime = runtime();
        let (task, _other) = runtime.block_on(async {
            let task = spawn(async {
                let _bomb = Bomb("at the very end");
                pending::<()>().await;
            });
            let token = dropped.token();
            let other = spawn(async {
                let _token = token;
                pending::<()>().await;
            });
            turns().await;
            (task, other)
        });
        drop(runtime);
        assert_eq!(dropped.times(), 1);
        let error = common::runtime().block_on(task).unwrap_err();
        assert_eq!(error.panic_text(), Some("at the very end"));
        check_trace();
        no_task_is_left();
    });
}

#[test]
fn an_output_that_nobody_takes_and_that_panics_on_its_way_out_harms_nobody() {
    run(async || {
        drop(spawn(async { Bomb("nobody's") }));
        turns().await;
        assert_eq!(spawn(ready(7)).await.unwrap(), 7);
    });
}

#[test]
fn an_output_that_panics_when_its_handle_is_dropped_panics_there() {
    run(async || {
        let handle = spawn(async { Bomb("mine") });
        turns().await;
        let panic = catch_unwind(AssertUnwindSafe(|| drop(handle))).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("mine"));
    });
}

#[test]
fn a_task_that_panics_after_it_was_aborted_by_itself_has_panicked() {
    run(async || {
        let slot = Rc::new(Cell::new(None));
        let own = slot.clone();
        let handle = Rc::new(spawn(async move {
            let _own: Rc<ch10_join_cancel::JoinHandle<()>> = own.take().expect("set below");
            _own.abort();
            panic!("before the next await");
        }));
        slot.set(Some(handle.clone()));
        turns().await;
        let handle = Rc::into_inner(handle).expect("the task has ended");
        let error = handle.await.unwrap_err();
        assert_eq!(error.panic_text(), Some("before the next await"));
    });
}

#[test]
fn a_future_that_spawns_while_it_is_dropped_by_an_abort_starts_a_task() {
    run(async || {
        let ran = Rc::new(Cell::new(false));
        let seen = ran.clone();
        let task = spawn(async move {
            let _spawns = OnDrop(|| {
                let seen = seen.clone();
                drop(spawn(async move { seen.set(true) }));
            });
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        turns().await;
        assert!(ran.get());
    });
}
