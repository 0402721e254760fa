use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::rc::Rc;

use ch05_executor::Park;
use ch06_reactor::Reactor;
use ch08_timers::{Clock, TimerPark, Timers};
use ch11_threads::{Executor, Handle, Pool};
use ch13_completion::Driver;

use crate::{Doorbell, RingPark, TimeLimit, Wheel, open_driver};

/// What a runtime sleeps on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverKind {
    /// A ring where the kernel has one, epoll where not.
    #[default]
    Auto,
    /// The reactor of chapter 6.
    Epoll,
    /// The driver of chapter 13.
    Ring,
}

/// What a runtime keeps its deadlines in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerQueue {
    /// Chapter 8's map.
    Map,
    /// This chapter's wheel.
    #[default]
    Wheel,
}

/// What a runtime is made of.
#[derive(Debug)]
pub struct Config {
    /// What it sleeps on.
    pub driver: DriverKind,
    /// What it keeps its deadlines in.
    pub timers: TimerQueue,
    /// How many submissions a ring has room for between two calls of the kernel.
    pub entries: u32,
    /// The clock.
    pub clock: Clock,
    /// The tasks and the threads for blocking work.
    pub executor: ch11_threads::Config,
}

impl Default for Config {
    /// Whatever is best here, with 256 entries, and the real clock.
    fn default() -> Config {
        Config {
            driver: DriverKind::default(),
            timers: TimerQueue::default(),
            entries: 256,
            clock: Clock::real(),
            executor: ch11_threads::Config::default(),
        }
    }
}

/// Chapter 11's executor, on epoll or on a ring, with a map or a wheel.
pub struct Runtime {
    executor: Executor,
    reactor: Rc<Reactor>,
    /// `None` if this runtime sleeps on epoll.
    ring: Option<Rc<Driver>>,
    timers: Rc<Timers>,
}

impl Runtime {
    /// Makes a runtime for this thread.
    ///
    /// # Errors
    /// If the process has no file descriptors left. With [`DriverKind::Ring`] also if there is no ring
    /// to be had, with a sentence that says why.
    ///
    /// # Panics
    /// If a number is less than the configuration says.
    pub fn new(config: Config) -> io::Result<Runtime> {
        let reactor = Rc::new(Reactor::new()?);
        let ring = match config.driver {
            DriverKind::Epoll => None,
            DriverKind::Ring => Some(Rc::new(open_driver(config.entries)?)),
            DriverKind::Auto => open_driver(config.entries).ok().map(Rc::new),
        };
        let park: Rc<dyn Park> = match &ring {
            Some(driver) => Rc::new(ring_park(driver, &reactor)?),
            None => reactor.clone(),
        };
        let now = config.clock.now();
        let timers = Rc::new(match config.timers {
            TimerQueue::Map => Timers::with_deadlines(config.clock, BTreeMap::new()),
            TimerQueue::Wheel => Timers::with_deadlines(config.clock, Wheel::new(now)),
        });
        let park = TimerPark::new(park, timers.clone());
        let executor = Executor::new(park, config.executor);
        Ok(Runtime { executor, reactor, ring, timers })
    }

    /// Runs `future` and the tasks that it spawns, until `future` is done.
    ///
    /// # Panics
    /// As [`Executor::block_on`] does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let run = || self.executor.block_on(future);
        let run = || ch08_timers::enter(&self.timers, run);
        let run = || ch07_tcp::enter(&self.reactor, run);
        match &self.ring {
            Some(driver) => ch13_completion::enter(driver, run),
            None => run(),
        }
    }
}

/// The best way that this kernel has to wake a ring and to end its sleep in time.
fn ring_park(driver: &Rc<Driver>, reactor: &Rc<Reactor>) -> io::Result<RingPark> {
    let parameters = driver.parameters();
    let time_limit =
        if parameters.is_feature_ext_arg() { TimeLimit::Argument } else { TimeLimit::PerSleep };
    // This feature came with the same kernel as multishot polls, which have no sign of their own.
    let doorbell = if parameters.is_feature_resource_tagging() {
        Doorbell::multishot()?
    } else {
        Doorbell::once()?
    };
    Ok(RingPark::new(driver.clone(), doorbell, time_limit, reactor.clone()))
}

impl Runtime {
    /// Reaches this runtime from any thread.
    pub fn handle(&self) -> Handle {
        self.executor.handle()
    }

    /// The threads for blocking work.
    pub fn pool(&self) -> &Pool {
        self.executor.pool()
    }

    /// The clock, and who sleeps by it.
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// The driver of the ring, if this runtime sleeps on one.
    pub fn ring(&self) -> Option<&Rc<Driver>> {
        self.ring.as_ref()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("ring", &self.ring).finish_non_exhaustive()
    }
}
