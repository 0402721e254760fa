use std::io;
use std::rc::Rc;

use ch05_executor::Executor;
use ch06_reactor::Reactor;

use crate::{Clock, TimerPark, Timers, enter};

/// Chapter 7's runtime, with a clock: its executor sleeps on timers around a reactor.
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
    pub fn new() -> io::Result<Runtime> {
        Runtime::with_clock(Clock::real())
    }

    /// Makes a runtime for this thread, with this clock.
    ///
    /// A virtual clock does not wait for sockets and other threads: when every task waits, it jumps
    /// to the next deadline, also if the kernel would have had something to say a moment later. Use
    /// it where all that is waited for is other tasks, and time.
    ///
    /// # Errors
    /// If the process has no file descriptors left: this takes three.
    pub fn with_clock(clock: Clock) -> io::Result<Runtime> {
        let reactor = Rc::new(Reactor::new()?);
        let timers = Rc::new(Timers::new(clock));
        let executor = Executor::new(TimerPark::new(reactor.clone(), timers.clone()));
        Ok(Runtime { executor, reactor, timers })
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
        ch07_tcp::enter(&self.reactor, || enter(&self.timers, || self.executor.block_on(future)))
    }
}
