//! Chapter 5's executor, held to what every stage owes its tasks.

use ch03_block_on::Parker;
use ch05_executor::{Executor, spawn};
use conformance::{Stage, executor_suite};

struct Chapter5(Executor);

impl Stage for Chapter5 {
    fn new() -> Self {
        Chapter5(Executor::new(Parker::new()))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        spawn(future);
    }
}

executor_suite!(Chapter5);
