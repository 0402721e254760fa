//! The rules of [`join`].

mod common;

use std::pin::pin;
use std::task::{Poll, Waker};

use ch02_future::{borrow_across_await, countdown, counting_waker, join, poll_once, yield_now};
use common::{Log, spy};

#[test]
fn both_are_polled_in_each_poll_until_each_is_ready() {
    let log = Log::default();
    let mut future = pin!(join(spy("a", 1, &log), spy("b", 1, &log)));
    assert_eq!(log.take(), [""; 0], "nothing runs before the first poll");

    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(log.take(), ["a pending", "b pending"]);
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(("a", "b")));
    assert_eq!(log.take(), ["a ready", "a dropped", "b ready", "b dropped"]);
}

#[test]
fn a_join_takes_as_long_as_the_longer_of_the_two() {
    for (a, b) in [(0, 0), (4, 1), (1, 4), (3, 3)] {
        let mut future = pin!(join(countdown(a), countdown(b)));
        for _ in 0..a.max(b) {
            assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
        }
        assert_eq!(poll_once(future, Waker::noop()), Poll::Ready((a, b)));
    }
}

#[test]
fn a_finished_future_is_dropped_and_not_polled_again_and_its_output_is_kept() {
    let log = Log::default();
    let mut future = pin!(join(spy("a", 0, &log), spy("b", 2, &log)));

    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(log.take(), ["a ready", "a dropped", "b pending"]);
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(log.take(), ["b pending"]);
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(("a", "b")));
    assert_eq!(log.take(), ["b ready", "b dropped"]);
}

#[test]
fn the_second_may_finish_first() {
    let log = Log::default();
    let mut future = pin!(join(spy("a", 1, &log), spy("b", 0, &log)));
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(log.take(), ["a pending", "b ready", "b dropped"]);
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(("a", "b")));
    assert_eq!(log.take(), ["a ready", "a dropped"]);
}

#[test]
fn both_get_the_waker_of_the_latest_poll() {
    let log = Log::default();
    let (a, b) = (spy("a", 2, &log), spy("b", 2, &log));
    let (a_waker, b_waker) = (a.waker(), b.waker());
    let mut future = pin!(join(a, b));
    for _ in 0..2 {
        let (waker, wakes) = counting_waker();
        assert!(poll_once(future.as_mut(), &waker).is_pending());
        assert_eq!(wakes.get(), 2, "each of the two woke it");
        for kept in [&a_waker, &b_waker] {
            kept.take().expect("it was polled").wake();
        }
        assert_eq!(wakes.get(), 4, "each of the two had it");
    }
}

#[test]
fn dropped_before_the_first_poll_it_has_run_nothing() {
    let log = Log::default();
    drop(join(spy("a", 0, &log), spy("b", 0, &log)));
    assert_eq!(log.take(), ["a dropped", "b dropped"]);
}

#[test]
fn dropped_half_way_it_drops_the_futures_in_order_and_then_a_kept_output() {
    let log = Log::default();
    let gives_a_spy = async { Some(spy("output", 9, &log)) };
    let mut future = Box::pin(join(gives_a_spy, spy("b", 9, &log)));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_pending());
    assert_eq!(log.take(), ["b pending"]);
    drop(future);
    assert_eq!(log.take(), ["b dropped", "output dropped"]);
}

#[test]
#[should_panic = "`Join` polled after completion"]
fn it_panics_when_it_is_polled_after_ready() {
    let mut future = pin!(join(countdown(0), countdown(0)));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_ready());
    let _ = poll_once(future, Waker::noop());
}

#[test]
fn a_join_of_joins_takes_as_long_as_the_longest() {
    let left = join(countdown(1), countdown(2));
    let right = join(countdown(4), countdown(3));
    let mut future = pin!(join(left, right));
    for _ in 0..4 {
        assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    }
    let output = poll_once(future, Waker::noop());
    assert_eq!(output, Poll::Ready(((1, 2), (4, 3))));
}

#[test]
fn futures_that_borrow_from_themselves_can_be_joined() {
    let nested = join(borrow_across_await(2), async {
        yield_now().await;
        borrow_across_await(3).await
    });
    let mut future = pin!(join(borrow_across_await(1), nested));
    for _ in 0..2 {
        assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    }
    let output = poll_once(future, Waker::noop());
    assert_eq!(output, Poll::Ready((1, (2, 3))));
}

#[test]
fn a_join_of_two_that_may_move_may_move() {
    fn may_move(_: &impl Unpin) {}
    may_move(&join(countdown(1), yield_now()));
}

#[test]
fn it_agrees_poll_for_poll_with_the_join_of_the_futures_crate() {
    for a in 0..4 {
        for b in 0..4 {
            let (our_waker, our_wakes) = counting_waker();
            let (their_waker, their_wakes) = counting_waker();
            let mut ours = pin!(join(countdown(a), countdown(b)));
            let mut theirs = pin!(futures::future::join(countdown(a), countdown(b)));
            for step in 0..=a.max(b) {
                let our_step = poll_once(ours.as_mut(), &our_waker);
                assert_eq!(our_step, poll_once(theirs.as_mut(), &their_waker));
                assert_eq!(our_wakes.get(), their_wakes.get());
                assert_eq!(our_step.is_ready(), step == a.max(b));
            }
        }
    }
}
