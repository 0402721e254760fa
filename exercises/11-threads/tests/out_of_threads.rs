//! The room for threads runs out for the whole process: this has a file, and so a process, of its own.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use ch11_threads::{Pool, PoolConfig};
use conformance::{panic_text, watch};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// How much of the address space this process has taken, in bytes.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let line = status.lines().find(|line| line.starts_with("VmSize:")).expect("it is there");
    let kib: u64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib * 1024
}

/// Runs `body` while no thread can be started: a thread's stack takes 2 MiB.
fn without_room<T>(body: impl FnOnce() -> T) -> T {
    let limits = getrlimit(Resource::RLIMIT_AS).expect("the limit can be read");
    let little = address_space() + (1 << 20);
    setrlimit(Resource::RLIMIT_AS, little, limits.1).expect("the limit can be lowered");
    let output = body();
    setrlimit(Resource::RLIMIT_AS, limits.0, limits.1).expect("the limit can be raised again");
    output
}

#[test]
#[cfg_attr(miri, ignore = "asks the kernel for less room")]
fn without_room_for_a_thread_the_first_work_is_refused_and_later_work_waits_for_who_is_there() {
    watch(|| {
        let pool = Pool::new(PoolConfig::default());
        let held = Arc::new(());
        let inside = held.clone();
        let refused = || panic_text(|| drop(pool.spawn(move || drop(inside))));
        let said = without_room(refused);
        assert!(
            said.starts_with("no thread for the blocking work could be started: Resource"),
            "{said}"
        );
        assert_eq!(Arc::strong_count(&held), 1, "the work was dropped");
        assert_eq!((pool.threads(), pool.queued()), (0, 0));

        let (end, told) = channel::<()>();
        let (begins, begun) = channel();
        let first = pool.spawn(move || {
            begins.send(()).expect("the test waits");
            told.recv().expect("the test tells it");
            thread::current().id()
        });
        begun.recv().expect("it begins");
        let second = without_room(|| pool.spawn(|| thread::current().id()));
        assert_eq!((pool.threads(), pool.queued()), (1, 1));
        end.send(()).expect("the work waits");
        assert_eq!(first.join().unwrap(), second.join().unwrap());
    });
}
