use std::io;
use std::rc::Rc;

use ch06_reactor::Reactor;
use ch08_timers::{Clock, TimerPark, Timers};

use crate::{Config, Executor, Handle, Pool};

/// Chapter 9's runtime, with this chapter's executor.
#[derive(Debug)]
pub struct Runtime {
    executor: Executor,
    reactor: Rc<Reactor>,
    timers: Rc<Timers>,
}

impl Runtime {
    /// Makes a runtime for this thread, with the real clock.
    ///
    /// # Errors
    /// If the process has no file descriptors left: this takes three.
    ///
    /// # Panics
    /// If a number is less than [`Config`] says.
    pub fn new(config: Config) -> io::Result<Runtime> {
        Runtime::with_clock(config, Clock::real())
    }

    /// Makes a runtime for this thread, with this clock.
    ///
    /// # Errors
    /// If the process has no file descriptors left: this takes three.
    ///
    /// # Panics
    /// If a number is less than [`Config`] says.
    pub fn with_clock(config: Config, clock: Clock) -> io::Result<Runtime> {
        let reactor = Rc::new(Reactor::new()?);
        let timers = Rc::new(Timers::new(clock));
        let park = TimerPark::new(reactor.clone(), timers.clone());
        Ok(Runtime { executor: Executor::new(park, config), reactor, timers })
    }

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

    /// Runs `future` and the tasks that it spawns, until `future` is done.
    ///
    /// # Panics
    /// As [`Executor::block_on`] does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        ch07_tcp::enter(&self.reactor, || {
            ch08_timers::enter(&self.timers, || self.executor.block_on(future))
        })
    }
}
