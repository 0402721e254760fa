//! The moment in which a future is dropped, and the kernel has its operation. How that ends is no matter
//! here, so each driver is left behind, with all that it keeps.

mod common;

use std::io::Write;
use std::mem;
use std::rc::Rc;

use ch13_completion::{Driver, IoBuf};
use common::{Arena, NOW, driver, listener, or_leave_behind, pair, story, stuffed_pair};
use conformance::watch;

/// Runs a test with a driver that is left behind in any case.
fn left_behind(test: impl FnOnce(&Rc<Driver>, &Arena) + Send + 'static) {
    watch(|| {
        let Some(driver) = driver(64) else { return };
        let arena = Arena::default();
        or_leave_behind(&driver, || test(&driver, &arena));
        arena.nobody_wrote_to_the_dead();
        mem::forget(driver);
    });
}

#[test]
fn a_buffer_outlives_the_future_that_has_lent_it() {
    left_behind(|driver, arena| {
        let (near, mut far) = pair(driver);
        let recv = near.start_recv(arena.room(8));
        driver.wait(NOW).expect("the kernel takes it");
        drop(recv);
        assert_eq!((driver.in_flight(), arena.live()), (1, 1));
        // The kernel has not heard of the cancel. It writes to the buffer, and may.
        far.write_all(b"hello").expect("the connection is up");
        assert_eq!((driver.in_flight(), arena.live()), (1, 1));
    });
}

#[test]
fn a_buffer_outlives_its_future_also_if_the_kernel_has_not_seen_it_yet() {
    left_behind(|driver, arena| {
        let (near, _far) = pair(driver);
        drop(near.start_recv(arena.room(8)));
        drop(near.start_send(arena.bytes(b"hello")));
        assert_eq!((driver.in_flight(), arena.live()), (2, 2));
        assert_eq!(driver.counts().enters, 0);
    });
}

#[test]
fn the_kernel_is_asked_to_give_up_what_nobody_waits_for_any_more() {
    left_behind(|driver, arena| {
        let (near, _far) = pair(driver);
        let recv = near.start_recv(arena.room(8));
        driver.wait(NOW).expect("the kernel takes it");
        assert_eq!(driver.counts().submissions, 1);
        drop(recv);
        assert_eq!(driver.counts().submissions, 2);
        assert_eq!(story(1), "sqe lent cancel");
    });
}

#[test]
fn a_detached_operation_keeps_its_buffer_and_is_not_given_up() {
    left_behind(|driver, arena| {
        let (near, _far) = pair(driver);
        near.start_recv(arena.room(8)).detach();
        assert_eq!((driver.in_flight(), arena.live()), (1, 1));
        assert_eq!(driver.counts().submissions, 1);
        assert_eq!(story(1), "sqe lent");
    });
}

#[test]
fn all_that_an_operation_owns_outlives_its_future() {
    left_behind(|driver, arena| {
        let (near, _far) = stuffed_pair(driver);
        let listener = listener(driver);
        let send = near.start_send(arena.bytes(&[7; 100_000]));
        let slice = near.start_recv(arena.bytes(b"abcdef").slice(2..4));
        let accept = listener.start_accept();
        driver.wait(NOW).expect("the kernel takes them");
        // The sockets as well.
        drop((near, listener));
        drop((send, slice, accept));
        assert_eq!((driver.in_flight(), arena.live()), (3, 2));
    });
}

#[test]
fn a_thousand_futures_may_be_dropped() {
    left_behind(|driver, arena| {
        let (near, _far) = pair(driver);
        let recvs: Vec<_> = (0..1000).map(|_| near.start_recv(arena.room(8))).collect();
        drop(recvs);
        assert_eq!((driver.in_flight(), arena.live()), (1000, 1000));
        assert_eq!(driver.counts().submissions, 2000);
    });
}
