//! What the tests of this chapter share.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Waker;

use ch05_executor::spawn;
use ch08_timers::Clock;
use ch09_fairness::yield_now;
use ch13_completion::Driver;
use ch14_swap::{Config, DriverKind, Runtime, TimerQueue, open_driver};
use conformance::{check_trace, skip, watch};
use futures::channel::oneshot;
use trace::{Recording, invariants};
use waker_fn::waker_fn;

/// A driver, or a word that there is none to be had.
pub fn driver(entries: u32) -> Option<Rc<Driver>> {
    match open_driver(entries) {
        Ok(driver) => Some(Rc::new(driver)),
        Err(error) => {
            skip(format_args!("no io_uring here: {error}"));
            None
        }
    }
}

/// A runtime on a ring, or a word that there is none to be had.
pub fn ring() -> Option<Runtime> {
    driver(8)?;
    Some(runtime(DriverKind::Ring, TimerQueue::Wheel, Clock::real()))
}

/// A runtime of these parts.
pub fn runtime(driver: DriverKind, timers: TimerQueue, clock: Clock) -> Runtime {
    let config = Config { driver, timers, clock, ..Config::default() };
    Runtime::new(config).expect("descriptors are left")
}

/// Runs a body in a runtime on a ring. When that is gone, the trace must be whole: no rule is broken,
/// and all that was submitted has come home.
pub fn on_a_ring<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    checked(|| {
        if let Some(runtime) = ring() {
            runtime.block_on(async { body().await });
        }
    });
}

/// Runs a test body under a deadline. All runtimes must be gone by its end.
pub fn checked(body: impl FnOnce() + Send + 'static) {
    watch(|| {
        body();
        all_is_home();
    });
}

/// What this thread has recorded breaks no rule, and neither an operation nor a timer is left.
pub fn all_is_home() {
    check_trace();
    let records = Recording::current().expect("`watch` records").records();
    for rule in [invariants::operations_come_home, invariants::timers_come_home] {
        rule(&records).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

/// Starts a task, and gives back what tells its end.
pub fn start<T: 'static>(future: impl Future<Output = T> + 'static) -> oneshot::Receiver<T> {
    let (done, is_done) = oneshot::channel();
    spawn(async move {
        // Nobody may be left to take it.
        let _ = done.send(future.await);
    });
    is_done
}

/// A waker that counts how often it is woken.
pub fn counting(count: &Arc<AtomicUsize>) -> Waker {
    let count = count.clone();
    waker_fn(move || {
        count.fetch_add(1, SeqCst);
    })
}

/// Gives everybody else so many turns, the ring included.
pub async fn turns(number: usize) {
    for _ in 0..number {
        yield_now().await;
    }
}

/// The same numbers on every run: `xorshift`.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
