//! What [`block_on`] promises.

use std::future::{poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use ch03_block_on::{Parker, block_on, signal};
use conformance::{watch, yield_now};
use trace::{Cause, Event, MAIN, PollResult, Recording, invariants};

/// A future that wakes itself and is pending, for so many polls.
async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Lets other threads take a thousand turns, for which a poll too many would be fast enough.
fn others_get_on() {
    let turns = if cfg!(miri) { 10 } else { 1_000 };
    let (there, arrivals) = channel();
    let (back, returns) = channel();
    let other = thread::spawn(move || arrivals.into_iter().try_for_each(|()| back.send(())));
    for _ in 0..turns {
        there.send(()).expect("the other thread sends all back");
        returns.recv().expect("the other thread sends all back");
    }
    drop(there);
    other.join().expect("nobody panics").expect("all came back");
}

#[test]
fn a_ready_future_gives_its_value() {
    watch(|| assert_eq!(block_on(ready(7)), 7));
}

#[test]
fn the_future_may_borrow_from_its_caller() {
    watch(|| {
        let mut words = vec!["one"];
        block_on(async {
            yields(1).await;
            words.push("two");
        });
        assert_eq!(words, ["one", "two"]);
    });
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    watch(|| block_on(yields(100)));
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    watch(|| {
        let (setter, signal) = signal();
        let (polled, was_polled) = channel();
        let other = thread::spawn(move || {
            was_polled.recv().expect("the future is polled once");
            setter.set(7);
        });
        let mut signal = Box::pin(signal);
        let value = block_on(poll_fn(|context| {
            let poll = signal.as_mut().poll(context);
            // The other thread may be gone when this is the second poll.
            let _ = polled.send(());
            poll
        }));
        assert_eq!(value, Some(7));
        other.join().expect("the other thread ends well");
    });
}

#[test]
fn a_wake_from_another_thread_during_the_poll_is_not_lost() {
    watch(|| {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake()).join().expect("a wake does not panic");
            Poll::Pending
        }));
        assert_eq!(polls, 2);
    });
}

#[test]
fn many_wakes_during_one_poll_bring_one_poll() {
    watch(|| {
        let woken_again = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut polls = 0;
            block_on(poll_fn(|context| {
                polls += 1;
                match polls {
                    1 => {
                        for _ in 0..3 {
                            context.waker().wake_by_ref();
                        }
                        Poll::Pending
                    }
                    2 => {
                        let waker = context.waker().clone();
                        scope.spawn(|| {
                            others_get_on();
                            woken_again.store(true, SeqCst);
                            waker.wake();
                        });
                        Poll::Pending
                    }
                    _ => {
                        assert!(woken_again.load(SeqCst), "polled without a wake");
                        Poll::Ready(())
                    }
                }
            }));
        });
    });
}

#[test]
fn a_wake_for_nothing_polls_again_and_does_not_end_the_future() {
    const FOR_NOTHING: usize = 100;
    watch(|| {
        let (to_waker_thread, wakers) = channel::<Waker>();
        let other = thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
        let mut polls = 0;
        let value = block_on(poll_fn(move |context| {
            if polls == FOR_NOTHING {
                return Poll::Ready(polls);
            }
            polls += 1;
            to_waker_thread
                .send(context.waker().clone())
                .expect("the other thread waits for wakers");
            Poll::Pending
        }));
        assert_eq!(value, FOR_NOTHING);
        other.join().expect("a wake does not panic");
    });
}

#[test]
fn a_nested_block_on_does_not_take_the_wake_of_the_outer() {
    watch(|| {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            let (setter, signal) = signal();
            let other = thread::spawn(move || setter.set(7));
            assert_eq!(block_on(signal), Some(7));
            block_on(yields(3));
            other.join().expect("the other thread ends well");
            Poll::Pending
        }));
    });
}

#[test]
fn a_wake_of_the_outer_does_not_poll_the_nested() {
    watch(|| {
        block_on(poll_fn(|outer| {
            let inner_woken = AtomicBool::new(false);
            thread::scope(|scope| {
                let mut polls = 0;
                block_on(poll_fn(|inner| {
                    polls += 1;
                    if polls == 1 {
                        let (outer, inner) = (outer.waker().clone(), inner.waker().clone());
                        let inner_woken = &inner_woken;
                        scope.spawn(move || {
                            outer.wake();
                            others_get_on();
                            inner_woken.store(true, SeqCst);
                            inner.wake();
                        });
                        return Poll::Pending;
                    }
                    assert!(inner_woken.load(SeqCst), "polled by the wake of the outer");
                    Poll::Ready(())
                }));
            });
            Poll::Ready(())
        }));
    });
}

#[test]
fn a_future_that_parks_its_thread_does_not_take_the_wake() {
    watch(|| {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            thread::park_timeout(Duration::from_millis(1));
            let other = Parker::new();
            other.unparker().wake();
            other.park(None);
            Poll::Pending
        }));
    });
}

#[test]
fn a_waker_may_outlive_its_block_on() {
    watch(|| {
        let waker = block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
        waker.wake_by_ref();
        thread::spawn(move || waker.wake()).join().expect("waking nobody is no error");
        block_on(yields(1));
    });
}

#[test]
fn a_panic_of_the_future_goes_through_and_leaves_the_thread_usable() {
    watch(|| {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            block_on(async {
                yields(1).await;
                panic!("as it should");
            })
        }))
        .expect_err("the future panics");
        assert_eq!(panic.downcast_ref(), Some(&"as it should"));
        assert_eq!(block_on(ready(7)), 7);
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn the_trace_shows_every_step_of_a_yield() {
    let events = watch(|| {
        let recording = Recording::new();
        let _attached = recording.attach();
        block_on(yields(1));
        invariants::check(&recording.records()).expect("block_on keeps the rules");
        recording.events()
    });
    let task = MAIN;
    let by = Cause::Outside;
    let ends = |result| Event::PollEnd { task, result, wakers: 0 };
    assert_eq!(
        events,
        [
            Event::PollStart { task },
            Event::Wake { task, by },
            ends(PollResult::Pending),
            Event::Park { timeout: None },
            Event::Unpark,
            Event::PollStart { task },
            ends(PollResult::Ready),
        ]
    );
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn the_trace_counts_the_wakers_that_are_left() {
    let counts = watch(|| {
        let recording = Recording::new();
        let _attached = recording.attach();
        let mut kept = Vec::new();
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            match polls {
                1 => kept.extend([context.waker().clone(), context.waker().clone()]),
                2 => drop(kept.pop()),
                _ => return Poll::Ready(()),
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        let counts = recording.events().into_iter().filter_map(|event| match event {
            Event::PollEnd { wakers, .. } => Some(wakers),
            _ => None,
        });
        counts.collect::<Vec<_>>()
    });
    assert_eq!(counts, [2, 1, 1]);
}
