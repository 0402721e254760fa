//! What the tests of this chapter share.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub mod http;
pub mod pipe;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ch08_timers::Clock;
use ch09_fairness::yield_now;
use ch11_threads::{Config, Runtime};
use conformance::{check_trace, watch};
use trace::{Event, Recording};

pub fn runtime() -> Runtime {
    Runtime::new(Config::default()).expect("descriptors are left")
}

/// Runs a body in a runtime of its own. Each task that was spawned was dropped when it is gone.
pub fn run<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    watch(|| {
        runtime().block_on(async { body().await });
        no_task_is_left();
    });
}

/// The same, on a clock that jumps to the next deadline, for bodies that do without other threads: the
/// rules of the trace are held, too, which knows nothing of a wake that comes from elsewhere.
pub fn run_alone<F: Future<Output = ()>>(body: impl FnOnce() -> F + Send + 'static) {
    watch(|| {
        let clock = Clock::virtual_now();
        let runtime = Runtime::with_clock(Config::default(), clock).expect("descriptors are left");
        runtime.block_on(async { body().await });
        drop(runtime);
        check_trace();
        no_task_is_left();
    });
}

fn no_task_is_left() {
    let events = Recording::current().expect("the test is watched").events();
    let spawned = events.iter().filter(|event| matches!(event, Event::Spawn { .. })).count();
    let dropped = events.iter().filter(|event| matches!(event, Event::TaskDrop { .. })).count();
    assert_eq!(dropped, spawned, "tasks dropped, of those spawned");
}

/// Gives everybody else on this thread many turns, and the inbox a look after each.
pub async fn turns() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Runs its closure when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts, on any thread.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Something that counts here when it is dropped.
    pub fn token(&self) -> OnDrop<impl FnMut() + Send + 'static + use<>> {
        let count = self.clone();
        OnDrop(move || count.add())
    }
}

/// How many threads of this process are called `name`. The kernel keeps 15 bytes of a name.
pub fn threads_called(name: &str) -> usize {
    let threads = fs::read_dir("/proc/self/task").expect("there is a /proc");
    let names = threads.filter_map(|thread| {
        // One that ends just now has no name any more.
        fs::read_to_string(thread.ok()?.path().join("comm")).ok()
    });
    names.filter(|other| other.trim_end() == name).count()
}

/// Waits until this is so. To be called inside of `watch`.
pub fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}
