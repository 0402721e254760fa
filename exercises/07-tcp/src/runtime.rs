use std::io;
use std::rc::Rc;

use ch05_executor::Executor;
use ch06_reactor::Reactor;
use scoped_tls::scoped_thread_local;

scoped_thread_local!(static REACTOR: Rc<Reactor>);

/// An executor that sleeps on a reactor.
///
/// Dropping the runtime drops all unfinished tasks, and with them their streams. A stream that was
/// taken out of the runtime may be dropped later, anywhere on this thread.
#[derive(Debug)]
pub struct Runtime {
    executor: Executor,
    reactor: Rc<Reactor>,
}

impl Runtime {
    /// Makes a runtime for this thread.
    ///
    /// # Errors
    /// If the process has no file descriptors left: this takes three.
    pub fn new() -> io::Result<Runtime> {
        let reactor = Rc::new(Reactor::new()?);
        let executor = Executor::new(reactor.clone());
        Ok(Runtime { executor, reactor })
    }

    /// Runs `future` and the tasks that it spawns, until `future` is done. Sockets made meanwhile
    /// belong to this runtime.
    ///
    /// # Panics
    /// As [`Executor::block_on`] does.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        enter(&self.reactor, || self.executor.block_on(future))
    }
}

/// Makes `reactor` the one that new sockets on this thread belong to, while `body` runs. Runtimes call
/// this around their loop.
pub fn enter<R>(reactor: &Rc<Reactor>, body: impl FnOnce() -> R) -> R {
    REACTOR.set(reactor, body)
}

/// The reactor of the runtime that runs on this thread.
///
/// # Panics
/// If no runtime does.
pub(crate) fn current_reactor() -> Rc<Reactor> {
    assert!(
        REACTOR.is_set(),
        "a socket was made outside of Runtime::block_on: no reactor runs on this thread"
    );
    REACTOR.with(Rc::clone)
}
