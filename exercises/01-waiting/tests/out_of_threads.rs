//! The room for threads runs out for the whole process: this has a file, and so a process, of its
//! own.

mod common;

use std::fs;
use std::io::Read;

use ch01_waiting::threads;
use common::{Server, hang_up, round_trip};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn a_client_is_closed_while_there_is_no_room_for_a_thread_and_the_others_go_on() {
    conformance::watch(|| {
        let server = Server::start(threads::serve, 3);
        let mut first = server.connect();
        round_trip(&mut first, b"first");

        // A thread's stack takes 2 MiB.
        let limits = getrlimit(Resource::RLIMIT_AS).unwrap();
        setrlimit(Resource::RLIMIT_AS, address_space() + (1 << 20), limits.1).unwrap();
        let mut second = server.connect();
        assert_eq!(second.read(&mut [0]).unwrap(), 0, "it is closed");
        round_trip(&mut first, b"still here");

        setrlimit(Resource::RLIMIT_AS, limits.0, limits.1).unwrap();
        hang_up(first);
        let mut third = server.connect();
        round_trip(&mut third, b"third");
        hang_up(third);
        let stats = server.stats();
        assert_eq!((stats.served, stats.failed), (3, 1));
    });
}

/// How much of the address space this process has taken, in bytes.
fn address_space() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
