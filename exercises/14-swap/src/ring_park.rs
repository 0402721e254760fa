use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::Reactor;
use ch13_completion::{Driver, Op};

use crate::{Doorbell, TimeLimit, ops};

/// A [`Park`] that sleeps in a ring. Completions wake their operations, other threads ring the doorbell.
///
/// An epoll instance can be watched like any other descriptor. So a whole reactor stands behind one
/// operation of the ring: what is still waited for in the old way, such as signals, works on.
///
/// See the section "The ring as a park" of chapter 14.
pub struct RingPark {
    driver: Rc<Driver>,
    doorbell: Doorbell,
    time_limit: TimeLimit,
    reactor: Rc<Reactor>,
    readiness: RefCell<Option<Op<ops::Poll<Rc<Reactor>>>>>,
}

impl RingPark {
    /// Sleeps in the ring of `driver`.
    pub fn new(
        driver: Rc<Driver>,
        doorbell: Doorbell,
        time_limit: TimeLimit,
        reactor: Rc<Reactor>,
    ) -> RingPark {
        RingPark { driver, doorbell, time_limit, reactor, readiness: RefCell::new(None) }
    }

    fn watch_reactor(&self) {
        let mut readiness = self.readiness.borrow_mut();
        if readiness.is_none() {
            *readiness = Some(self.driver.submit(ops::Poll::once(self.reactor.clone())));
        }
    }

    fn hear_reactor(&self) -> io::Result<()> {
        let mut readiness = self.readiness.borrow_mut();
        let Some(watch) = readiness.as_mut() else { return Ok(()) };
        if Pin::new(watch).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return Ok(());
        }
        *readiness = None;
        drop(readiness);
        self.reactor.park(Some(Duration::ZERO))
    }
}

impl Park for RingPark {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.doorbell.watch(&self.driver);
        self.watch_reactor();
        match timeout {
            Some(limit) if !limit.is_zero() => self.time_limit.wait(&self.driver, limit)?,
            timeout => self.driver.wait(timeout)?,
        }
        self.doorbell.hear();
        self.hear_reactor()
    }

    fn unparker(&self) -> Waker {
        self.doorbell.ringer()
    }
}

impl fmt::Debug for RingPark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingPark")
            .field("driver", &self.driver)
            .field("doorbell", &self.doorbell)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}
