use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use scoped_tls::scoped_thread_local;
use trace::{Event, emit};

use crate::{Clock, Deadlines, Key};

scoped_thread_local!(static TIMERS: Rc<Timers>);

// ANCHOR: timers
/// The deadlines of everybody who sleeps, and the clock that they go by.
///
/// See the section "A map of deadlines" of chapter 8.
#[derive(Debug)]
pub struct Timers {
    clock: Clock,
    deadlines: RefCell<Box<dyn Deadlines>>,
    last_id: Cell<u64>,
}
// ANCHOR_END: timers

impl Timers {
    /// No deadlines yet, and a map for them.
    pub fn new(clock: Clock) -> Timers {
        Timers::with_deadlines(clock, BTreeMap::new())
    }

    /// Keeps the deadlines in another structure than a map.
    pub fn with_deadlines(clock: Clock, deadlines: impl Deadlines + 'static) -> Timers {
        Timers { clock, deadlines: RefCell::new(Box::new(deadlines)), last_id: Cell::new(0) }
    }

    /// The timers of the runtime that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    pub fn current() -> Rc<Timers> {
        assert!(
            TIMERS.is_set(),
            "a timer was made outside of Runtime::block_on: no clock runs on this thread"
        );
        TIMERS.with(Rc::clone)
    }

    /// The clock that the deadlines go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How many deadlines somebody waits for.
    pub fn len(&self) -> usize {
        self.deadlines.borrow().len()
    }

    /// Whether nobody waits for any deadline.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nearest deadline, or an earlier time if [`Deadlines`] wants to be asked before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.borrow().next_deadline()
    }

    /// How long it is until the nearest deadline: no time at all if that is past.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        Some(self.next_deadline()?.saturating_duration_since(self.clock.now()))
    }

    /// A key for a new timer.
    pub(crate) fn key(&self, deadline: Instant) -> Key {
        self.last_id.set(self.last_id.get() + 1);
        Key { deadline, id: self.last_id.get() }
    }

    // ANCHOR: set
    /// Has `waker` woken when the deadline comes, in the place of the one that stood there.
    pub(crate) fn set(&self, key: Key, waker: Waker) {
        let replaced = self.deadlines.borrow_mut().insert(key, waker);
        if replaced.is_none() {
            emit!(Event::TimerSet { timer: key.id });
        } else {
            emit!(Event::TimerWaker { timer: key.id });
        }
        // Only here is the old waker dropped, which may run any code: nothing is borrowed.
    }

    /// Takes a deadline out, if it is still there.
    pub(crate) fn cancel(&self, key: Key) {
        let taken = self.deadlines.borrow_mut().remove(key);
        if taken.is_some() {
            emit!(Event::TimerCancel { timer: key.id });
        }
    }
    // ANCHOR_END: set

    // ANCHOR: fire
    /// Wakes everybody whose deadline has come, in the order of the deadlines. A [`Park`] calls
    /// this when it has slept.
    ///
    /// [`Park`]: ch05_executor::Park
    pub fn fire(&self) {
        // ANCHOR: fire_body
        // One look at the clock: whoever begins to sleep meanwhile has a later deadline than this.
        let now = self.clock.now();
        while let Some((key, waker)) = self.pop_until(now) {
            emit!(Event::TimerFire { timer: key.id });
            let _cause = trace::caused_by(trace::Cause::Timer(key.id));
            waker.wake();
        }
        // ANCHOR_END: fire_body
    }

    fn pop_until(&self, now: Instant) -> Option<(Key, Waker)> {
        self.deadlines.borrow_mut().pop_until(now)
    }
    // ANCHOR_END: fire
}

// ANCHOR: enter
/// Makes `timers` the ones that [`sleep`](crate::sleep()) finds on this thread, while `body` runs.
/// Runtimes call this around their loop.
pub fn enter<R>(timers: &Rc<Timers>, body: impl FnOnce() -> R) -> R {
    TIMERS.set(timers, body)
}
// ANCHOR_END: enter
