//! What a [`Parker`] promises.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use ch03_block_on::Parker;
use conformance::watch;

/// Whether the parker has no token: then a timed park takes its whole time.
fn is_without_token(parker: &Parker) -> bool {
    let limit = Duration::from_millis(20);
    let start = Instant::now();
    parker.park(Some(limit));
    start.elapsed() >= limit
}

#[test]
fn a_wake_before_the_park_ends_it_at_once() {
    watch(|| {
        let parker = Parker::new();
        parker.unparker().wake();
        parker.park(None);
        parker.unparker().wake();
        parker.park(Some(Duration::MAX));
    });
}

#[test]
fn many_wakes_leave_one_token() {
    watch(|| {
        let parker = Parker::new();
        let unparker = parker.unparker();
        for _ in 0..3 {
            unparker.wake_by_ref();
        }
        parker.park(None);
        assert!(is_without_token(&parker));
    });
}

#[test]
fn a_timed_park_takes_the_token_too() {
    watch(|| {
        let parker = Parker::new();
        for limit in [Duration::ZERO, Duration::MAX] {
            parker.unparker().wake();
            parker.park(Some(limit));
            assert!(is_without_token(&parker), "after a park for {limit:?}");
        }
    });
}

#[test]
fn a_park_that_ran_out_of_time_leaves_the_parker_usable() {
    watch(|| {
        let parker = Parker::new();
        parker.park(Some(Duration::from_millis(1)));
        parker.unparker().wake();
        parker.park(None);
    });
}

#[test]
fn a_wake_from_another_thread_ends_the_park() {
    for timeout in [None, Some(Duration::MAX)] {
        watch(move || {
            let parker = Parker::new();
            let unparker = parker.unparker();
            let woken = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    woken.store(true, SeqCst);
                    unparker.wake();
                });
                parker.park(timeout);
                assert!(woken.load(SeqCst), "the park ended without a wake");
            });
        });
    }
}

#[test]
fn no_wake_is_lost_between_two_threads_that_take_turns() {
    let rounds = if cfg!(miri) { 50 } else { 10_000 };
    watch(move || {
        let (ping, pong) = (Parker::new(), Parker::new());
        let (wake_ping, wake_pong) = (ping.unparker(), pong.unparker());
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..rounds {
                    pong.park(None);
                    wake_ping.wake_by_ref();
                }
            });
            for _ in 0..rounds {
                wake_pong.wake_by_ref();
                ping.park(None);
            }
        });
    });
}

/// One thread sleeps, and is notified of a token. Before it is awake, another one has the token.
#[test]
fn one_token_does_not_end_the_parks_of_two_threads() {
    watch(|| {
        let parker = &Parker::new();
        let unparker = parker.unparker();
        let (left, taken) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let leave = || {
            left.fetch_add(1, SeqCst);
            unparker.wake_by_ref();
        };
        let over = &AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(move || {
                while !over.load(SeqCst) {
                    parker.park(None);
                    taken.fetch_add(1, SeqCst);
                }
            });
            for _ in 0..20 {
                // Nothing comes in this time, and the other thread goes to sleep.
                parker.park(Some(Duration::from_millis(1)));
                leave();
                if !is_without_token(parker) {
                    taken.fetch_add(1, SeqCst);
                }
            }
            over.store(true, SeqCst);
            leave();
        });
        let (left, taken) = (left.load(SeqCst), taken.load(SeqCst));
        assert!(taken <= left, "{left} tokens have ended {taken} parks");
    });
}

#[test]
fn every_unparker_and_every_clone_leads_to_the_same_token() {
    watch(|| {
        let parker = Parker::new();
        let first = parker.unparker();
        let second = parker.unparker();
        for unparker in [first.clone(), first, second] {
            unparker.wake();
            parker.park(None);
        }
    });
}

#[test]
fn two_parkers_on_one_thread_do_not_share_a_token() {
    watch(|| {
        let (mine, yours) = (Parker::new(), Parker::new());
        mine.unparker().wake();
        assert!(is_without_token(&yours));
        mine.park(None);
    });
}

#[test]
fn a_parker_does_not_touch_the_token_of_its_thread() {
    watch(|| {
        let parker = Parker::new();
        thread::current().unpark();
        assert!(is_without_token(&parker));
        thread::park();
    });
}

#[test]
fn an_unparker_may_outlive_its_parker() {
    watch(|| {
        let parker = Parker::new();
        let unparker = parker.unparker();
        drop(parker);
        let others = [unparker.clone(), unparker.clone()];
        for unparker in others {
            thread::spawn(move || unparker.wake()).join().expect("waking nobody is no error");
        }
        unparker.wake_by_ref();
    });
}
