//! The executor on chapter 3's parker, held to what every stage owes its tasks. Without sockets, so that
//! Miri can follow.

mod common;

use ch11_threads::Executor;
use common::executor;
use conformance::{Stage, executor_suite};

struct OnAParker(Executor);

impl Stage for OnAParker {
    fn new() -> Self {
        OnAParker(executor())
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        ch09_fairness::spawn(future);
    }
}

executor_suite!(OnAParker);
