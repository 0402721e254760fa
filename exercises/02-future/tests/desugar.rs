//! The `async fn` and the enum are the same thing.

use std::cell::Cell;
use std::mem::size_of_val;
use std::pin::pin;
use std::task::{Poll, Waker};

use ch02_future::{AddSlowly, add_slowly, countdown, counting_waker, poll_once, yield_now};

#[test]
fn the_enum_does_poll_for_poll_what_the_async_fn_does() {
    for (first, second) in [(0, 0), (0, 3), (3, 0), (1, 1), (2, 5)] {
        let (sugar_waker, sugar_wakes) = counting_waker();
        let (enum_waker, enum_wakes) = counting_waker();
        let mut sugar = pin!(add_slowly(first, second));
        let mut by_hand = pin!(AddSlowly::Start { first, second });

        for _ in 0..first + second {
            assert_eq!(poll_once(sugar.as_mut(), &sugar_waker), Poll::Pending);
            assert_eq!(poll_once(by_hand.as_mut(), &enum_waker), Poll::Pending);
            assert_eq!(sugar_wakes.get(), enum_wakes.get());
        }
        let sum = Poll::Ready(first + second);
        assert_eq!(poll_once(sugar, &sugar_waker), sum);
        assert_eq!(poll_once(by_hand, &enum_waker), sum);
        assert_eq!(sugar_wakes.get(), enum_wakes.get());
    }
}

#[test]
fn the_enum_keeps_in_each_state_what_is_needed_from_there_on() {
    let mut future = pin!(AddSlowly::Start { first: 1, second: 2 });
    let mut poll = || {
        let _ = poll_once(future.as_mut(), Waker::noop());
        format!("{:?}", *future)
    };
    assert_eq!(poll(), "First { waiting: Countdown { from: 1, left: 0 }, second: 2 }");
    assert_eq!(poll(), "Second { a: 1, waiting: Countdown { from: 2, left: 1 } }");
    assert_eq!(poll(), "Second { a: 1, waiting: Countdown { from: 2, left: 0 } }");
    assert_eq!(poll(), "Done");
}

#[test]
#[should_panic = "`async fn` resumed after completion"]
fn an_async_fn_panics_when_it_is_polled_after_ready() {
    let mut future = pin!(add_slowly(0, 0));
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Ready(0));
    let _ = poll_once(future, Waker::noop());
}

#[test]
#[should_panic = "`AddSlowly` polled after completion"]
fn the_enum_panics_when_it_is_polled_after_ready() {
    let (first, second) = (0, 0);
    let mut future = pin!(AddSlowly::Start { first, second });
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Ready(0));
    let _ = poll_once(future, Waker::noop());
}

#[test]
fn a_call_runs_nothing_and_the_first_poll_runs_up_to_the_first_pending() {
    let reached = Cell::new("nothing");
    let work = async || {
        reached.set("the start");
        yield_now().await;
        reached.set("the end");
    };

    let mut future = pin!(work());
    assert_eq!(reached.get(), "nothing");
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert_eq!(reached.get(), "the start");
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(()));
    assert_eq!(reached.get(), "the end");
}

#[test]
fn an_await_that_is_ready_at_once_does_not_stop_the_poll() {
    let future = pin!(async {
        let mut sum = 0;
        for _ in 0..1000 {
            sum += countdown(0).await + 1;
        }
        sum
    });
    assert_eq!(poll_once(future, Waker::noop()), Poll::Ready(1000));
}

#[test]
fn dropping_a_future_half_way_drops_what_lives_across_that_await_and_runs_nothing_more() {
    struct SetOnDrop<'a>(&'a Cell<bool>);
    impl Drop for SetOnDrop<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    let dropped = Cell::new(false);
    let went_on = Cell::new(false);
    let mut future = Box::pin(async {
        let _local = SetOnDrop(&dropped);
        yield_now().await;
        went_on.set(true);
    });
    assert_eq!(poll_once(future.as_mut(), Waker::noop()), Poll::Pending);
    assert!(!dropped.get());

    drop(future);
    assert!(dropped.get());
    assert!(!went_on.get());
}

#[test]
fn a_future_keeps_only_what_lives_across_an_await() {
    async fn needs_the_page_later() -> u8 {
        let page = [7; 4096];
        yield_now().await;
        page[0]
    }
    async fn needs_one_byte_later() -> u8 {
        let byte = {
            let page = [7; 4096];
            page[0]
        };
        yield_now().await;
        byte
    }
    assert!(size_of_val(&needs_the_page_later()) >= 4096);
    assert!(size_of_val(&needs_one_byte_later()) < 4096);
}
