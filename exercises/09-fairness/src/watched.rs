use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::LocalFutureObj;

use crate::Config;
use crate::coop::new_budget;

thread_local! {
    /// Where `spawn` was called, on its way to the executor.
    static SPAWNED_AT: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// A poll that took longer than it should have: nobody else could run meanwhile.
///
/// See the section "Who was it?" of chapter 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowPoll {
    /// Where the task was spawned, if it was by this chapter's [`spawn`].
    pub spawned_at: Option<&'static Location<'static>>,
    /// How long the poll took.
    pub took: Duration,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spawned_at {
            Some(place) => write!(f, "the task that was spawned at {place}")?,
            None => f.write_str("a task")?,
        }
        write!(f, " kept the thread for {:?} in one poll", self.took)
    }
}

/// Starts a task, as chapter 5's [`spawn`](ch05_executor::spawn) does, and remembers where that was.
///
/// See the section "Who was it?" of chapter 9.
///
/// # Panics
/// If no executor runs on this thread.
#[track_caller]
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    SPAWNED_AT.set(Some(Location::caller()));
    ch05_executor::spawn(future);
    SPAWNED_AT.set(None);
}

/// A task's future, with a budget and a stop watch around each of its polls.
pub(crate) struct Watched {
    future: LocalFutureObj<'static, ()>,
    spawned_at: Option<&'static Location<'static>>,
    config: Rc<Config>,
}

impl Watched {
    pub(crate) fn new(future: LocalFutureObj<'static, ()>, config: Rc<Config>) -> Watched {
        Watched { future, spawned_at: SPAWNED_AT.get(), config }
    }
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _budget = new_budget(self.config.coop_budget);
        let began = (self.config.clock)();
        let poll = Pin::new(&mut self.future).poll(cx);
        let took = (self.config.clock)().saturating_duration_since(began);
        if took > self.config.slow_poll {
            (self.config.report)(SlowPoll { spawned_at: self.spawned_at, took });
        }
        poll
    }
}
