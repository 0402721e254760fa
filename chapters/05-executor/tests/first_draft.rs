//! What the trace says about the first draft of the executor: each fault breaks a rule.

#[path = "../examples/first_draft/mod.rs"]
mod first_draft;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Poll, Waker};
use std::time::Duration;

use ch03_block_on::signal;
use ch05_executor::{Executor, Park, spawn};
use conformance::watch;
use trace::invariants::{self, Violation};
use trace::{Record, Recording};

/// Fails instead of sleeping, so that a hang comes to an end.
struct NoBed;

impl Park for NoBed {
    fn park(&self, _: Option<Duration>) -> io::Result<()> {
        Err(io::Error::other("there is no bed"))
    }

    fn unparker(&self) -> Waker {
        Waker::noop().clone()
    }
}

/// Holds what happens in `body` against `rule`.
fn broken_rule(
    rule: fn(&[Record]) -> Result<(), Violation>,
    body: impl FnOnce() + Send + 'static,
) -> Option<&'static str> {
    watch(move || {
        let _ended_by_no_bed = catch_unwind(AssertUnwindSafe(body));
        let recording = Recording::current().expect("`watch` records");
        rule(&recording.records()).err().map(|violation| violation.rule)
    })
}

async fn two_tasks_in_turn() {
    for _ in 0..2 {
        let (setter, done) = signal();
        spawn(async move { setter.set(()) });
        done.await;
    }
}

async fn a_signal_from_elsewhere() {
    let (_setter, answer) = signal::<()>();
    answer.await;
}

async fn a_task_woken_twice() {
    let (setter, done) = signal();
    spawn(async move {
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        setter.set(());
    });
    done.await;
}

#[test]
fn the_first_draft_breaks_parks_only_when_idle() {
    let rule = invariants::parks_only_when_idle;
    let broken = broken_rule(rule, || first_draft::block_on(NoBed, two_tasks_in_turn()));
    assert_eq!(broken, Some("parks_only_when_idle"));
}

#[test]
fn the_first_draft_breaks_pending_keeps_a_waker() {
    let rule = invariants::pending_keeps_a_waker;
    let program = a_signal_from_elsewhere;
    let broken = broken_rule(rule, move || first_draft::block_on(NoBed, program()));
    assert_eq!(broken, Some("pending_keeps_a_waker"));
}

#[test]
fn the_first_draft_breaks_queued_once() {
    let rule = invariants::queued_once;
    let broken = broken_rule(rule, || first_draft::block_on(NoBed, a_task_woken_twice()));
    assert_eq!(broken, Some("queued_once"));
}

#[test]
fn the_executor_breaks_none_of_them() {
    let broken = broken_rule(invariants::check, || {
        let executor = Executor::new(NoBed);
        executor.block_on(two_tasks_in_turn());
        executor.block_on(a_task_woken_twice());
        executor.block_on(a_signal_from_elsewhere());
    });
    assert_eq!(broken, None);
}
