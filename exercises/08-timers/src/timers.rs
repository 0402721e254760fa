use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use scoped_tls::scoped_thread_local;
use trace::{Event, emit};

use crate::Clock;

scoped_thread_local!(static TIMERS: Rc<Timers>);

/// The deadlines of everybody who sleeps, and the clock that they go by.
///
/// A priority queue that gives up entries from its middle, too: most timers are timeouts, and most
/// timeouts are cancelled. A `BinaryHeap` finds only its top. A `BTreeMap` finds any entry, and
/// takes `log n` steps for each.
///
/// See the section "A map of deadlines" of chapter 8.
#[derive(Debug)]
pub struct Timers {
    clock: Clock,
    entries: RefCell<BTreeMap<Key, Waker>>,
    last_id: Cell<u64>,
}

/// A timer's place in the order: by deadline, and among equal ones by the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) deadline: Instant,
    id: u64,
}

impl Timers {
    /// No deadlines yet.
    pub fn new(clock: Clock) -> Timers {
        Timers { clock, entries: RefCell::default(), last_id: Cell::new(0) }
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
        self.entries.borrow().len()
    }

    /// Whether nobody waits for any deadline.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The nearest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.entries.borrow().first_key_value().map(|(key, _)| key.deadline)
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

    /// Has `waker` woken when the deadline comes, in the place of the one that stood there.
    pub(crate) fn set(&self, key: Key, waker: Waker) {
        let replaced = self.entries.borrow_mut().insert(key, waker);
        if replaced.is_none() {
            emit!(Event::TimerSet { timer: key.id });
        }
        // Only here is the old waker dropped, which may run any code: nothing is borrowed.
    }

    /// Takes a deadline out, if it is still there.
    pub(crate) fn cancel(&self, key: Key) {
        let taken = self.entries.borrow_mut().remove(&key);
        if taken.is_some() {
            emit!(Event::TimerCancel { timer: key.id });
        }
    }

    /// Wakes everybody whose deadline has come, in the order of the deadlines. A [`Park`] calls
    /// this when it has slept.
    ///
    /// [`Park`]: ch05_executor::Park
    pub fn fire(&self) {
        // EXERCISE 08.2: Wake whose time has come
        todo!("08.2: wake everybody who is due by now, one after the other");
        // END 08.2
    }

    /// Takes out the nearest deadline, if it is not after `now`.
    fn pop_until(&self, now: Instant) -> Option<(Key, Waker)> {
        // EXERCISE 08.2: Wake whose time has come
        todo!("08.2: take out the nearest deadline, unless it is after `now`");
        // END 08.2
    }
}

/// Makes `timers` the ones that [`sleep`](crate::sleep()) finds on this thread, while `body` runs.
/// Runtimes call this around their loop.
pub fn enter<R>(timers: &Rc<Timers>, body: impl FnOnce() -> R) -> R {
    TIMERS.set(timers, body)
}
