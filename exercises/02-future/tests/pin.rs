//! What moves, what stays, and what `Pin` lets you do.

use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use ch02_future::{SelfBorrow, borrow_across_await, counting_waker, poll_once};

fn address<T>(value: &T) -> usize {
    (&raw const *value).addr()
}

#[test]
fn moving_a_value_changes_its_address_and_moving_a_box_does_not() {
    let mut values = vec![SelfBorrow::new(1), SelfBorrow::new(2)];
    let before = address(&values[1]);
    drop(values.remove(0));
    assert_ne!(address(&values[0]), before, "the value moved up");

    let mut boxes = vec![Box::pin(SelfBorrow::new(1)), Box::pin(SelfBorrow::new(2))];
    let before = address(&*boxes[1]);
    drop(boxes.remove(0));
    assert_eq!(address(&*boxes[0]), before, "only the pointer moved up");
}

#[test]
fn a_self_borrow_that_stays_finds_what_it_borrowed() {
    let mut future = pin!(SelfBorrow::new(7));
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(Ok(7)));
}

#[test]
fn a_self_borrow_that_is_pending_has_asked_for_another_poll() {
    let (waker, wakes) = counting_waker();
    let mut future = pin!(SelfBorrow::new(7));
    assert_eq!(wakes.get(), 0);
    assert_eq!(poll_once(future.as_mut(), &waker), Poll::Pending);
    assert_eq!(wakes.get(), 1);
    assert_eq!(poll_once(future, &waker), Poll::Ready(Ok(7)));
    assert_eq!(wakes.get(), 1);
}

#[test]
fn a_self_borrow_that_moves_between_two_polls_notices() {
    let mut future = SelfBorrow::new(7);
    assert_eq!(poll_once(Pin::new(&mut future), Waker::noop()), Poll::Pending);
    let there = address(&future);

    let mut elsewhere = Box::new(future);
    let here = address(&*elsewhere);
    let Poll::Ready(Err(moved)) = poll_once(Pin::new(&mut *elsewhere), Waker::noop()) else {
        panic!("it should have noticed that it was moved");
    };
    assert_eq!(
        moved.now.wrapping_sub(moved.then),
        here.wrapping_sub(there),
        "what it had borrowed is off by as much as the future has moved"
    );
}

#[test]
fn a_future_may_move_until_it_is_polled() {
    let future = SelfBorrow::new(7);
    let mut elsewhere = Box::pin(future);
    assert_eq!(poll_once(elsewhere.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(poll_once(elsewhere.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
}

#[test]
fn a_pinned_box_may_move_between_two_polls_because_the_future_in_it_does_not() {
    let mut future = Box::pin(borrow_across_await(7));
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    let mut elsewhere = future;
    assert_eq!(poll_once(elsewhere.as_mut(), Waker::noop()), Poll::Ready(7));
}

#[test]
fn two_self_borrows_that_change_places_both_notice() {
    let (mut one, mut two) = (SelfBorrow::new(1), SelfBorrow::new(2));
    for future in [&mut one, &mut two] {
        assert_eq!(poll_once(Pin::new(future), Waker::noop()), Poll::Pending);
    }
    std::mem::swap(&mut one, &mut two);
    for future in [&mut one, &mut two] {
        let result = poll_once(Pin::new(future), Waker::noop());
        assert!(matches!(result, Poll::Ready(Err(_))), "{result:?}");
    }
}
