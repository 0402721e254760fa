//! File descriptors run out for the whole process: this has a file, and so a process, of its own.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ch01_waiting::Serve;
use common::{Server, hang_up, receive, round_trip, suite};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};

suite!([blocking threads spin callbacks] [
    a_client_waits_while_no_descriptor_is_free_and_is_served_when_one_is
]);

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn a_client_waits_while_no_descriptor_is_free_and_is_served_when_one_is(serve: Serve) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let begin = Instant::now();
    let server = Server::start(serve, 3);
    let mut first = server.connect();
    round_trip(&mut first, b"first");

    let (mut second, mut third) = (unconnected(), unconnected());
    let none_is_free = NoneIsFree::from_now_on();
    for client in [&mut second, &mut third] {
        connect(client.as_raw_fd(), &SockaddrStorage::from(server.address)).unwrap();
        client.write_all(b"me too").unwrap();
    }
    hang_up(first);
    // A server that was asleep in `accept` had its descriptor for the second one already, but none
    // has one for the third.
    third.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = third.read(&mut [0]).expect_err("the third has to wait");
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "the third should only wait: {error}");

    drop(none_is_free);
    third.set_read_timeout(None).unwrap();
    for mut client in [second, third] {
        receive(&mut client, b"me too");
        hang_up(client);
    }
    let stats = server.stats();
    assert_eq!((stats.served, stats.failed), (3, 0));
    // Three clients make nine events. Beside them, one try in 20 ms is not spinning.
    let tries = begin.elapsed().as_millis() as u64 / 20;
    assert!(stats.wakeups <= 9 + tries, "it was woken far too often: {stats:?}");
}

/// As long as this lives, every call that needs a new file descriptor fails.
struct NoneIsFree {
    before: (rlim_t, rlim_t),
}

impl NoneIsFree {
    fn from_now_on() -> NoneIsFree {
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, 0, before.1).unwrap();
        NoneIsFree { before }
    }
}

impl Drop for NoneIsFree {
    fn drop(&mut self) {
        setrlimit(Resource::RLIMIT_NOFILE, self.before.0, self.before.1).unwrap();
    }
}

/// A client that has its file descriptor, and no connection yet.
fn unconnected() -> TcpStream {
    let stream = SockType::Stream;
    socket(AddressFamily::Inet, stream, SockFlag::SOCK_CLOEXEC, None).unwrap().into()
}
