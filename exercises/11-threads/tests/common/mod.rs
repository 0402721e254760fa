//! What the tests of this chapter share.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::thread;

use ch03_block_on::Parker;
use ch11_threads::{Config, Executor, PoolConfig, Runtime};
use conformance::check_trace;
use trace::{Event, Recording};

/// An executor that sleeps on chapter 3's parker, which Miri can follow.
pub fn executor() -> Executor {
    Executor::new(Parker::new(), Config::default())
}

/// The same, with at most so many threads for blocking work.
pub fn executor_with(max_threads: usize) -> Executor {
    Executor::new(Parker::new(), config(max_threads))
}

/// A runtime with at most so many threads for blocking work.
pub fn runtime(max_threads: usize) -> Runtime {
    Runtime::new(config(max_threads)).expect("descriptors are left")
}

fn config(max_threads: usize) -> Config {
    let blocking = PoolConfig { max_threads, ..PoolConfig::default() };
    Config { blocking, ..Config::default() }
}

/// Runs `body` on another thread, and waits for its end.
pub fn abroad<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join().expect("the other thread does not panic"))
}

/// What this thread has recorded breaks no rule, and each task that was spawned here is gone. To be
/// called when all executors of this thread are.
pub fn all_is_well() {
    check_trace();
    let events = Recording::current().expect("the test is watched").events();
    let spawned = events.iter().filter(|event| matches!(event, Event::Spawn { .. })).count();
    let dropped = events.iter().filter(|event| matches!(event, Event::TaskDrop { .. })).count();
    assert_eq!(dropped, spawned, "tasks dropped, of those spawned");
}
