use std::collections::HashMap;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use ch13_completion::{Driver, Op};

use crate::ops::Timeout;

/// A queue of deadlines that submits a timeout for each millisecond in which something is due, and takes
/// it back when nothing is any more. The park needs no timeout then.
///
/// This is the first of the four ways of chapter 14, section "Four timeouts": built to be counted, not
/// to be used.
#[derive(Debug)]
pub struct PerDeadline<D> {
    inner: D,
    driver: Rc<Driver>,
    began: Instant,
    armed: HashMap<u128, Armed>,
}

#[derive(Debug)]
struct Armed {
    deadlines: usize,
    /// Dropping it takes it back.
    _timeout: Op<Timeout>,
}

impl<D: Deadlines> PerDeadline<D> {
    /// Puts timeouts of `driver` beside `inner`.
    pub fn new(inner: D, driver: Rc<Driver>) -> PerDeadline<D> {
        PerDeadline { inner, driver, began: Instant::now(), armed: HashMap::new() }
    }

    /// The millisecond at whose end all that is due in it is late.
    fn millisecond(&self, deadline: Instant) -> u128 {
        deadline.saturating_duration_since(self.began).as_millis()
    }

    /// How long it is from a deadline to the end of its millisecond.
    fn rest(&self, deadline: Instant) -> Duration {
        let began = deadline.saturating_duration_since(self.began).subsec_nanos() % 1_000_000;
        Duration::from_nanos(1_000_000 - u64::from(began))
    }

    fn arm(&mut self, deadline: Instant) {
        let millisecond = self.millisecond(deadline);
        if let Some(armed) = self.armed.get_mut(&millisecond) {
            armed.deadlines += 1;
            return;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = self.driver.submit(Timeout::after(left.saturating_add(self.rest(deadline))));
        self.armed.insert(millisecond, Armed { deadlines: 1, _timeout: timeout });
    }

    fn disarm(&mut self, deadline: Instant) {
        let millisecond = self.millisecond(deadline);
        if let Some(armed) = self.armed.get_mut(&millisecond) {
            armed.deadlines -= 1;
            if armed.deadlines == 0 {
                self.armed.remove(&millisecond);
            }
        }
    }
}

impl<D: Deadlines> Deadlines for PerDeadline<D> {
    fn insert(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        let replaced = self.inner.insert(key, waker);
        if replaced.is_none() {
            self.arm(key.deadline);
        }
        replaced
    }

    fn remove(&mut self, key: Key) -> Option<Waker> {
        let removed = self.inner.remove(key);
        if removed.is_some() {
            self.disarm(key.deadline);
        }
        removed
    }

    /// Never: the ring knows.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    fn pop_until(&mut self, now: Instant) -> Option<(Key, Waker)> {
        let (key, waker) = self.inner.pop_until(now)?;
        self.disarm(key.deadline);
        Some((key, waker))
    }

    fn len(&self) -> usize {
        self.inner.len()
    }
}
