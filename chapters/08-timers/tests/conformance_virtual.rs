//! The runtime with a virtual clock, held to what every stage owes its tasks.

use ch08_timers::{Clock, Runtime};
use conformance::{Stage, executor_suite};

struct Virtual(Runtime);

impl Stage for Virtual {
    fn new() -> Self {
        Virtual(Runtime::with_clock(Clock::virtual_now()).expect("descriptors are left"))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + 'static) {
        ch05_executor::spawn(future);
    }
}

executor_suite!(Virtual);
