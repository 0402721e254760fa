//! File descriptors run out for the whole process: this has a file, and so a process, of its own.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use ch01_waiting::WAYS;
use common::{Server, hang_up, receive, round_trip};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};

#[test]
fn a_client_waits_while_no_descriptor_is_free_and_is_served_when_one_is() {
    for (way, serve) in WAYS {
        conformance::watch(move || {
            let begin = Instant::now();
            let server = Server::start(serve, 3);
            let mut first = server.connect();
            round_trip(&mut first, b"first");

            let (mut second, mut third) = (unconnected(), unconnected());
            let limits = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, 0, limits.1).unwrap();
            for client in [&mut second, &mut third] {
                connect(client.as_raw_fd(), &SockaddrStorage::from(server.address)).unwrap();
                client.write_all(b"me too").unwrap();
            }
            hang_up(first);
            // A server that was asleep in `accept` had its descriptor for the second one already,
            // but none has one for the third.
            third.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let error = third.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{way}: {error}");

            setrlimit(Resource::RLIMIT_NOFILE, limits.0, limits.1).unwrap();
            third.set_read_timeout(None).unwrap();
            for mut client in [second, third] {
                receive(&mut client, b"me too");
                hang_up(client);
            }
            let stats = server.stats();
            assert_eq!((stats.served, stats.failed), (3, 0), "{way}");
            // Three clients make nine events. Beside them, one try in 20 ms is not spinning.
            let tries = begin.elapsed().as_millis() as u64 / 20;
            assert!(stats.wakeups <= 9 + tries, "{way}: {stats:?}");
        });
    }
}

/// A client that has its file descriptor, and no connection yet.
fn unconnected() -> TcpStream {
    let stream = SockType::Stream;
    socket(AddressFamily::Inet, stream, SockFlag::SOCK_CLOEXEC, None).unwrap().into()
}
