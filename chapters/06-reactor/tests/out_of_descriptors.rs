//! The limit belongs to the whole process, so this has a file of its own.

mod common;

use std::io;

use ch06_reactor::Reactor;
use common::checked;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn a_reactor_that_gets_no_descriptor_is_an_error_and_leaves_none_open() {
    checked(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        // The numbers up to `first_free` are taken. Two more are too few for epoll and what it needs.
        let first_free = nix::unistd::dup(std::io::stderr()).map(|fd| common::number(&fd)).unwrap();
        for room in 0..2 {
            setrlimit(Resource::RLIMIT_NOFILE, first_free as u64 + room, hard).unwrap();
            let made = Reactor::new();
            setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
            let error = made.map(drop).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "room for {room}");
            assert_eq!(open(), before);
        }
        Reactor::new().map(drop).unwrap_or_else(|error: io::Error| panic!("{error}"));
    });
}
