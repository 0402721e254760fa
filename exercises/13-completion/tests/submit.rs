//! The way in: what is in the queue, and what the kernel has been given. How it ends is no matter here, so
//! the operations are forgotten, and with them their driver.

mod common;

use std::io::{ErrorKind, Read};
use std::mem;
use std::net::TcpStream;

use ch13_completion::Counts;
use common::{driver, or_leave_behind, pair};
use conformance::watch;

/// How many bytes have come by now.
fn arrived(far: &mut TcpStream) -> usize {
    far.set_nonblocking(true).expect("a socket can be non-blocking");
    let mut bytes = Vec::new();
    let nothing_more = far.read_to_end(&mut bytes).expect_err("the connection is up");
    assert_eq!(nothing_more.kind(), ErrorKind::WouldBlock);
    bytes.len()
}

#[test]
fn as_long_as_there_is_room_nothing_goes_to_the_kernel() {
    watch(|| {
        let Some(driver) = driver(64) else { return };
        or_leave_behind(&driver, || {
            let (near, mut far) = pair(&driver);
            mem::forget((0..64).map(|_| near.start_send(b"x")).collect::<Vec<_>>());
            assert_eq!(driver.counts(), Counts { enters: 0, submissions: 64, completions: 0 });
            assert_eq!(arrived(&mut far), 0);
        });
    });
}

#[test]
fn the_kernel_empties_a_full_queue_and_what_found_no_room_is_tried_again() {
    watch(|| {
        let Some(driver) = driver(4) else { return };
        or_leave_behind(&driver, || {
            let (near, mut far) = pair(&driver);
            mem::forget((0..100).map(|_| near.start_send(b"x")).collect::<Vec<_>>());
            assert_eq!(driver.counts(), Counts { enters: 24, submissions: 100, completions: 0 });
            // All but the last four, which are in the queue.
            assert_eq!(arrived(&mut far), 96);
        });
    });
}

#[test]
fn operations_that_are_never_completed_stand_in_nobodys_way() {
    watch(|| {
        let Some(driver) = driver(4) else { return };
        or_leave_behind(&driver, || {
            let (near, mut far) = pair(&driver);
            for _ in 0..10 {
                mem::forget((0..10).map(|_| near.start_recv(vec![0; 8])).collect::<Vec<_>>());
                mem::forget(near.start_send(b"x"));
            }
            assert_eq!((driver.in_flight(), driver.counts().submissions), (110, 110));
            assert_eq!(arrived(&mut far), 9, "the last one is in the queue");
        });
    });
}
