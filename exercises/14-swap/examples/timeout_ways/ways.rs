//! A runtime on a ring, made of its parts, so that the four ways to get a timeout into it can stand side
//! by side.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use ch05_executor::Executor;
use ch06_reactor::Reactor;
use ch08_timers::{Clock, TimerPark, Timers};
use ch13_completion::Driver;
use ch14_swap::{Doorbell, PerDeadline, RingPark, TimeLimit, open_driver};

/// How a timeout gets into the ring. See the section "Four timeouts" of chapter 14.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// An operation for each deadline, taken back with it.
    PerDeadline,
    /// An operation for each sleep, which ends with the next completion.
    PerSleep,
    /// An operation that stays, as long as it is not too late.
    Standing,
    /// An argument of the call.
    Argument,
}

impl Way {
    /// In the order of the article, and the later one last.
    pub const ALL: [Way; 4] = [Way::PerDeadline, Way::PerSleep, Way::Standing, Way::Argument];
}

/// An executor that sleeps in a ring, with a map of deadlines.
pub struct Bench {
    executor: Executor,
    timers: Rc<Timers>,
    /// The ring.
    pub driver: Rc<Driver>,
}

impl Bench {
    /// A ring whose sleeps end in time in this way.
    ///
    /// # Errors
    /// If there is no ring to be had.
    pub fn new(way: Way) -> io::Result<Bench> {
        let driver = Rc::new(open_driver(256)?);
        let time_limit = match way {
            // The park is never given a timeout in the first way.
            Way::PerDeadline | Way::Argument => TimeLimit::Argument,
            Way::PerSleep => TimeLimit::PerSleep,
            Way::Standing => TimeLimit::standing(),
        };
        let clock = Clock::real();
        // A map, because a wheel is asked now and then when nothing is due yet: that would be counted, too.
        let map = BTreeMap::new();
        let timers = Rc::new(match way {
            Way::PerDeadline => {
                Timers::with_deadlines(clock, PerDeadline::new(map, driver.clone()))
            }
            _ => Timers::with_deadlines(clock, map),
        });
        let reactor = Rc::new(Reactor::new()?);
        let park = RingPark::new(driver.clone(), Doorbell::multishot()?, time_limit, reactor);
        let executor = Executor::new(TimerPark::new(park, timers.clone()));
        Ok(Bench { executor, timers, driver })
    }

    /// Runs a future, and the tasks that it spawns.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        ch13_completion::enter(&self.driver, || {
            ch08_timers::enter(&self.timers, || self.executor.block_on(future))
        })
    }
}
