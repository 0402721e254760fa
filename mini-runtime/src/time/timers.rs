use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::wheel::Wheel;
use crate::slab::Key;
use crate::task::wake;

/// The deadlines of everybody who sleeps, and the clock that they go by.
pub(crate) struct Timers {
    pub(crate) clock: Clock,
    wheel: RefCell<Wheel>,
    /// Whether the driver has just been asked, and has woken nobody.
    has_looked: Cell<bool>,
    /// The time of the last look at the clock, by which everybody was woken.
    fired_at: Cell<Instant>,
    /// Set when the runtime is gone: nobody turns the wheel any more.
    is_closed: Cell<bool>,
}

impl Timers {
    pub(crate) fn new() -> Timers {
        let clock = Clock::new();
        let now = clock.now();
        let wheel = RefCell::new(Wheel::new(now));
        Timers {
            clock,
            wheel,
            has_looked: Cell::new(false),
            fired_at: Cell::new(now),
            is_closed: Cell::new(false),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.wheel.borrow().len()
    }

    /// Whether this time is past for sure. If not, it may be past all the same, since nobody looks at the
    /// clock: that costs more than all the rest.
    pub(crate) fn is_past(&self, time: Instant) -> bool {
        time <= self.fired_at.get()
    }

    /// Whether nobody will ever be woken.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// The runtime goes. Whoever still waits for a deadline is woken, to learn that from the next poll.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let waiting = self.wheel.borrow_mut().clear();
        waiting.into_iter().for_each(|waker| wake(Some(waker)));
    }

    pub(crate) fn set(&self, deadline: Instant, waker: Waker) -> Key {
        self.wheel.borrow_mut().insert(deadline, waker)
    }

    /// Has another waker woken. Returns `false` if the timer has fired, or the runtime is gone.
    pub(crate) fn replace(&self, key: Key, waker: Waker) -> bool {
        let replaced = self.wheel.borrow_mut().replace(key, waker);
        // The waker that is dropped here may run any code: nothing is borrowed.
        replaced.is_ok()
    }

    pub(crate) fn cancel(&self, key: Key) {
        let taken = self.wheel.borrow_mut().remove(key);
        drop(taken);
    }

    /// How long the driver may sleep, when nobody can run. A paused clock jumps instead.
    ///
    /// It must not overtake those whom the driver can wake. So at first the driver only looks. If it wakes
    /// nobody, this is asked again, and jumps.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.wheel.borrow().next()?.saturating_duration_since(self.clock.now());
        if !self.clock.is_paused() || left.is_zero() {
            return Some(left);
        }
        if self.has_looked.take() {
            self.clock.advance(left);
        } else {
            self.has_looked.set(true);
        }
        Some(Duration::ZERO)
    }

    /// Somebody can run: a paused clock does not jump before the driver has been asked anew.
    pub(crate) fn stay(&self) {
        self.has_looked.set(false);
    }

    /// Wakes everybody whose deadline has come, in the order of the deadlines.
    pub(crate) fn fire(&self) {
        if self.wheel.borrow().len() == 0 {
            return;
        }
        // One look at the clock: whoever begins to sleep meanwhile has a later deadline than this.
        self.fired_at.set(self.clock.now());
        loop {
            // Whoever is woken may move the clock and fire, too: the wheel does not turn back after that.
            let due = self.wheel.borrow_mut().pop_until(self.fired_at.get());
            match due {
                Some(_) => wake(due),
                None => return,
            }
        }
    }
}
