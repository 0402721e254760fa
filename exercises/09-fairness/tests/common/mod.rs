//! What the tests of this chapter share.
#![expect(dead_code, reason = "each test file uses a part of this")]

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ch06_reactor::Reactor;
use ch09_fairness::Config;
use conformance::{check_trace, watch};
use futures::channel::oneshot;
use trace::{Event, Recording};

/// Runs a test body under the watchdog, and holds its trace against the invariants.
pub fn checked(body: impl FnOnce() + Send + 'static) {
    watch(|| {
        body();
        check_trace();
    });
}

/// Something to sleep on.
pub fn reactor() -> Rc<Reactor> {
    Rc::new(Reactor::new().expect("descriptors are left"))
}

/// The default, with another run budget.
pub fn run_budget(run_budget: usize) -> Config {
    Config { run_budget, ..Config::default() }
}

/// The default, with another cooperative budget.
pub fn coop_budget(coop_budget: u32) -> Config {
    Config { coop_budget, ..Config::default() }
}

/// More polls than any spinner here needs. An executor on which one has so many starves the others.
const TOO_MANY: usize = 100_000;

/// Wakes its task in each poll, until it is told to stop. Counts the polls.
#[derive(Clone, Default)]
pub struct Spinner {
    pub polls: Rc<Cell<usize>>,
    pub stop: Rc<Cell<bool>>,
}

impl Spinner {
    pub async fn spin(self) {
        poll_fn(|cx| {
            if self.stop.get() {
                return Poll::Ready(());
            }
            self.polls.set(self.polls.get() + 1);
            assert!(self.polls.get() < TOO_MANY, "the others starve beside the spinner");
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// Wakes itself, and waits for its next turn: what most people write for a yield.
pub async fn wake_itself() {
    let mut woken = false;
    poll_fn(|cx| {
        if woken {
            return Poll::Ready(());
        }
        woken = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Waits for what never comes, with its waker kept as it should be.
pub async fn forever() {
    let (_sender, never) = oneshot::channel::<()>();
    // An error would mean that the sender is gone, which it is not.
    let _ = never.await;
}

/// What this thread has recorded.
pub fn events() -> Vec<Event> {
    Recording::current().expect("`watch` attaches one").events()
}

/// The timeouts of all visits to the park so far.
pub fn visits() -> Vec<Option<Duration>> {
    let timeout = |event| match event {
        Event::Park { timeout } => Some(timeout),
        _ => None,
    };
    events().into_iter().filter_map(timeout).collect()
}

/// How many polls began before the first visit to the park, between it and the second, and so on.
pub fn polls_between_visits() -> Vec<usize> {
    events()
        .split(|event| matches!(event, Event::Park { .. }))
        .map(|run| run.iter().filter(|event| matches!(event, Event::PollStart { .. })).count())
        .collect()
}

/// What a panic said.
pub fn panic_text(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a panic with text").to_string(),
    }
}
