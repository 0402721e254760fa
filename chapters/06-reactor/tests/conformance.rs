//! Chapter 5's executor on this chapter's reactor, held to what every stage owes its tasks.

use ch05_executor::{Executor, spawn};
use ch06_reactor::Reactor;
use conformance::{Stage, executor_suite};

struct Chapter6(Executor);

impl Stage for Chapter6 {
    fn new() -> Self {
        Chapter6(Executor::new(Reactor::new().expect("three file descriptors are free")))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        spawn(future);
    }
}

executor_suite!(Chapter6);
