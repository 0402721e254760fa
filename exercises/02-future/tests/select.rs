//! The rules of [`select`].

mod common;

use std::pin::pin;
use std::task::{Poll, Waker};

use ch02_future::{
    Countdown, Either, borrow_across_await, countdown, counting_waker, poll_once, select, yield_now,
};
use common::{Log, spy};

/// Who won, and with what.
fn winner<T, A, B>(result: Poll<Either<(T, B), (T, A)>>) -> Poll<Either<T, T>> {
    result.map(|either| match either {
        Either::Left((output, _)) => Either::Left(output),
        Either::Right((output, _)) => Either::Right(output),
    })
}

#[test]
fn the_first_to_finish_wins() {
    for (a, b, expected) in [(1, 3, Either::Left(1)), (3, 1, Either::Right(1))] {
        let mut future = pin!(select(countdown(a), countdown(b)));
        let first_poll = poll_once(future.as_mut(), Waker::noop());
        assert!(first_poll.is_pending());
        let second_poll = winner(poll_once(future, Waker::noop()));
        assert_eq!(second_poll, Poll::Ready(expected));
    }
}

#[test]
fn the_loser_is_handed_back_and_goes_on_where_it_was() {
    let mut future = pin!(select(countdown(1), countdown(3)));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_pending());
    let Poll::Ready(Either::Left((1, mut loser))) = poll_once(future, Waker::noop()) else {
        panic!("the shorter countdown should have won at the second poll");
    };

    // It was polled once, beside the winner. Two are left, and the one that is ready.
    let mut loser = pin!(&mut loser);
    assert_eq!(poll_once(loser.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(poll_once(loser.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(poll_once(loser, Waker::noop()), Poll::Ready(3));
}

#[test]
fn when_both_would_be_ready_the_first_wins_and_the_second_is_not_polled() {
    let log = Log::default();
    let future = pin!(select(spy("a", 0, &log), spy("b", 0, &log)));
    assert_eq!(winner(poll_once(future, Waker::noop())), Poll::Ready(Either::Left("a")));
    assert_eq!(log.take(), ["a ready", "a dropped", "b dropped"]);
}

#[test]
fn a_loser_that_would_be_ready_too_still_has_its_output() {
    let future = pin!(select(Box::pin(async { "first" }), Box::pin(async { "second" })));
    let Poll::Ready(Either::Left(("first", loser))) = poll_once(future, Waker::noop()) else {
        panic!("the first should have won at the first poll");
    };
    assert_eq!(poll_once(pin!(loser), Waker::noop()), Poll::Ready("second"));
}

#[test]
fn both_are_polled_until_one_is_ready() {
    let log = Log::default();
    let mut future = pin!(select(spy("a", 2, &log), spy("b", 1, &log)));
    assert_eq!(log.take(), [""; 0], "nothing runs before the first poll");
    assert!(poll_once(future.as_mut(), Waker::noop()).is_pending());
    assert_eq!(log.take(), ["a pending", "b pending"]);
    let _kept = poll_once(future, Waker::noop());
    assert_eq!(log.take(), ["a pending", "b ready", "b dropped"]);
}

#[test]
fn the_loser_lives_until_the_result_is_dropped_and_an_underscore_does_not_drop_it() {
    let log = Log::default();
    let mut future = pin!(async {
        let result = select(spy("winner", 0, &log), spy("loser", 9, &log)).await;
        let Either::Left((_output, _)) = result else {
            panic!("the winner should have won");
        };
        yield_now().await;
    });
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(log.take(), ["winner ready", "winner dropped"]);
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(()));
    assert_eq!(log.take(), ["loser dropped"]);
}

#[test]
fn dropped_half_way_it_drops_both_in_order() {
    let log = Log::default();
    let mut future = Box::pin(select(spy("a", 9, &log), spy("b", 9, &log)));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_pending());
    log.take();
    drop(future);
    assert_eq!(log.take(), ["a dropped", "b dropped"]);
}

#[test]
fn both_get_the_waker_of_the_latest_poll() {
    let log = Log::default();
    let (a, b) = (spy("a", 2, &log), spy("b", 2, &log));
    let (a_waker, b_waker) = (a.waker(), b.waker());
    let mut future = pin!(select(a, b));
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
#[should_panic = "`Select` polled after completion"]
fn it_panics_when_it_is_polled_after_ready() {
    let mut future = pin!(select(countdown(0), countdown(0)));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_ready());
    let _ = poll_once(future, Waker::noop());
}

#[test]
fn futures_that_borrow_from_themselves_are_pinned_first_and_can_then_be_selected() {
    let on_the_stack = pin!(borrow_across_await(1));
    let on_the_heap = Box::pin(async {
        yield_now().await;
        borrow_across_await(2).await
    });
    let mut future = pin!(select(on_the_stack, on_the_heap));
    assert!(poll_once(future.as_mut(), Waker::noop()).is_pending());
    let Poll::Ready(Either::Left((1, mut loser))) = poll_once(future, Waker::noop()) else {
        panic!("the shorter one should have won at the second poll");
    };
    assert_eq!(poll_once(loser.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(poll_once(loser.as_mut(), Waker::noop()), Poll::Ready(2));
}

#[test]
fn it_agrees_poll_for_poll_with_the_select_of_the_futures_crate() {
    use futures::future::Either as TheirEither;

    type Theirs = TheirEither<(u32, Countdown), (u32, Countdown)>;
    let ours_from = |theirs: Theirs| match theirs {
        TheirEither::Left(pair) => Either::Left(pair),
        TheirEither::Right(pair) => Either::Right(pair),
    };

    for a in 0..4 {
        for b in 0..4 {
            let mut ours = pin!(select(countdown(a), countdown(b)));
            let mut theirs = pin!(futures::future::select(countdown(a), countdown(b)));
            for step in 0..=a.min(b) {
                let our_step = poll_once(ours.as_mut(), Waker::noop());
                let their_step = poll_once(theirs.as_mut(), Waker::noop()).map(ours_from);
                assert_eq!(format!("{our_step:?}"), format!("{their_step:?}"));
                assert_eq!(our_step.is_ready(), step == a.min(b));
            }
        }
    }
}
