//! The futures at the bottom, which wait for nothing but the next poll.

use std::pin::pin;
use std::task::Poll;

use ch02_future::{countdown, counting_waker, poll_once, yield_now};

#[test]
fn a_countdown_is_pending_that_many_times_and_then_ready() {
    let (waker, _) = counting_waker();
    let mut future = pin!(countdown(3));
    for _ in 0..3 {
        assert_eq!(poll_once(future.as_mut(), &waker), Poll::Pending);
    }
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Ready(3));
}

#[test]
fn a_countdown_from_zero_is_ready_at_the_first_poll() {
    let (waker, wakes) = counting_waker();
    assert_eq!(poll_once(pin!(countdown(0)), &waker), Poll::Ready(0));
    assert_eq!(wakes.get(), 0);
}

#[test]
fn every_pending_of_a_countdown_wakes_once_and_ready_does_not() {
    let (waker, wakes) = counting_waker();
    let mut future = pin!(countdown(2));
    assert_eq!(wakes.get(), 0);
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Pending);
    assert_eq!(wakes.get(), 1);
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Pending);
    assert_eq!(wakes.get(), 2);
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Ready(2));
    assert_eq!(wakes.get(), 2);
}

#[test]
fn each_poll_wakes_the_waker_that_it_was_given() {
    let (first, first_wakes) = counting_waker();
    let (second, second_wakes) = counting_waker();
    let mut future = pin!(countdown(2));
    assert_eq!(poll_once(future.as_mut(), &first), Poll::Pending);
    assert_eq!(poll_once(future.as_mut(), &second), Poll::Pending);
    assert_eq!((first_wakes.get(), second_wakes.get()), (1, 1));
}

#[test]
fn yield_now_is_pending_once_and_wakes_itself() {
    let (waker, wakes) = counting_waker();
    let mut future = pin!(yield_now());
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Pending);
    assert_eq!(wakes.get(), 1);
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Ready(()));
    assert_eq!(wakes.get(), 1);
}
