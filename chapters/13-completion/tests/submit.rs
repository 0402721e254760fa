//! The way in: what is in the queue, and what the kernel has been given. How it ends is no matter here, so
//! the operations are forgotten, and with them their driver.

mod common;

use std::io::{ErrorKind, Read};
use std::mem;
use std::net::TcpStream;

use ch13_completion::Counts;
use common::{driver, or_leave_behind, pair};
use conformance::watch;

/// Waits for so many bytes, and wants to see no more than these.
fn expect_bytes(far: &mut TcpStream, count: usize) {
    far.read_exact(&mut vec![0; count]).expect("the connection is up");
    far.set_nonblocking(true).expect("a socket can be non-blocking");
    let nothing = far.read(&mut [0]).expect_err("there are no more");
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
}

#[test]
fn as_long_as_there_is_room_nothing_goes_to_the_kernel() {
    watch(|| {
        let Some(driver) = driver(64) else { return };
        or_leave_behind(&driver, || {
            let (near, mut far) = pair(&driver);
            mem::forget((0..64).map(|_| near.start_send(b"x")).collect::<Vec<_>>());
            assert_eq!(driver.counts(), Counts { enters: 0, submissions: 64, completions: 0 });
            expect_bytes(&mut far, 0);
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
            expect_bytes(&mut far, 96);
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
            // The last one is in the queue.
            expect_bytes(&mut far, 9);
        });
    });
}
