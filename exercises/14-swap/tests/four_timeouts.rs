//! Four ways to get a timeout into a ring: each keeps the time, and what each costs.

mod common;
#[path = "../examples/timeout_ways/ways.rs"]
mod ways;

use std::collections::BTreeMap;
use std::future::pending;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key, sleep, sleep_until, timeout};
use ch14_swap::{PerDeadline, Wheel, ops};
use common::{checked, driver, start};
use conformance::yield_now;
use futures::future::{join, join_all};
use ways::{Bench, Way};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn in_each(body: impl Fn(Way, Bench) + Send + 'static) {
    checked(move || {
        if driver(8).is_none() {
            return;
        }
        for way in Way::ALL {
            println!("{way:?}");
            body(way, Bench::new(way).expect("descriptors are left"));
        }
    });
}

/// Runs a task, and says how many submissions and calls of the kernel it has cost.
fn costs(bench: &Bench, task: impl AsyncFnOnce() + 'static) -> (u64, u64) {
    // The first sleep has the bell watched, and so on.
    bench.block_on(async { sleep(MS).await });
    bench.block_on(async {
        let before = bench.driver.counts();
        // As a task, because a main future rings the bell when it is woken.
        let costs = start({
            let driver = bench.driver.clone();
            async move {
                task().await;
                let after = driver.counts();
                (after.submissions - before.submissions, after.enters - before.enters)
            }
        });
        costs.await.expect("the task ends")
    })
}

#[test]
fn a_sleep_ends_when_its_time_has_come_and_not_before() {
    in_each(|_, bench| {
        bench.block_on(async {
            for ms in [1, 5, 20, 3] {
                let deadline = Instant::now() + ms * MS;
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
            }
        });
    });
}

#[test]
fn many_sleeps_at_once_each_end_in_time() {
    in_each(|_, bench| {
        bench.block_on(async {
            let began = Instant::now();
            let sleeps = (0..200_u32).rev().map(|number| {
                start(async move {
                    let deadline = began + number * Duration::from_micros(170);
                    sleep_until(deadline).await;
                    assert!(Instant::now() >= deadline);
                })
            });
            let ended = join_all(sleeps).await;
            assert!(ended.iter().all(Result::is_ok));
        });
    });
}

#[test]
fn sleeps_that_end_in_one_millisecond_all_end() {
    in_each(|_, bench| {
        bench.block_on(async {
            for _ in 0..20 {
                // Made before the later one, and hung before it.
                let (early, late) = (sleep(MS), sleep(MS + Duration::from_micros(300)));
                join(early, late).await;
            }
        });
    });
}

#[test]
fn a_timeout_that_ends_nothing_is_taken_back() {
    in_each(|_, bench| {
        bench.block_on(async {
            for _ in 0..100 {
                timeout(HOUR, yield_now()).await.expect("an hour is enough");
            }
            assert!(timeout(MS, pending::<()>()).await.is_err());
            assert!(timeout(Duration::MAX, sleep(MS)).await.is_ok());
        });
    });
}

#[test]
fn a_sleep_costs_a_submission_or_none() {
    in_each(|way, bench| {
        const SLEEPS: u64 = 50;
        let (submissions, enters) = costs(&bench, async || {
            for _ in 0..SLEEPS {
                sleep(MS).await;
            }
        });
        let expected = if way == Way::Argument { 0 } else { SLEEPS };
        // A wake that comes for nothing costs a call, and in two of the ways a submission.
        let more = SLEEPS / 2;
        assert!((expected..=expected + more).contains(&submissions), "{submissions} submissions");
        assert!((SLEEPS..=SLEEPS + more).contains(&enters), "{enters} calls");
        match way {
            Way::PerDeadline | Way::Argument => assert_eq!(submissions, expected),
            Way::PerSleep | Way::Standing => {}
        }
    });
}

#[test]
fn a_timeout_that_never_fires_costs_two_submissions_or_one_for_each_sleep_or_next_to_none() {
    in_each(|way, bench| {
        const TIMEOUTS: u64 = 200;
        let driver = bench.driver.clone();
        let (submissions, enters) = costs(&bench, async move || {
            for _ in 0..TIMEOUTS {
                // Something that the ring has to wait for: an operation of its own, and a sleep.
                let io = driver.submit(ops::Timeout::after(Duration::ZERO));
                timeout(60_000 * MS, io).await.expect("a minute is enough").expect("no error");
            }
        });
        let for_timeouts = submissions - TIMEOUTS;
        match way {
            // One to set it, and one to take it back.
            Way::PerDeadline => assert_eq!(for_timeouts, 2 * TIMEOUTS),
            Way::PerSleep => assert!((enters..=enters + 1).contains(&for_timeouts)),
            Way::Standing => assert!(for_timeouts < TIMEOUTS / 4, "{for_timeouts} submissions"),
            Way::Argument => assert_eq!(for_timeouts, 0),
        }
    });
}

// The first of the four, by itself.

#[test]
fn deadlines_of_one_millisecond_share_an_operation_until_the_last_of_them_is_gone() {
    checked(|| {
        let Some(driver) = driver(8) else { return };
        let now = Instant::now();
        let mut deadlines = PerDeadline::new(Wheel::new(now), driver.clone());
        let keys: Vec<Key> =
            (0..5).map(|id| Key { deadline: Instant::now() + 60_000 * MS, id }).collect();
        for key in &keys {
            assert!(deadlines.insert(*key, Waker::noop().clone()).is_none());
            assert!(deadlines.insert(*key, Waker::noop().clone()).is_some());
        }
        let flying = driver.in_flight();
        assert!((1..=2).contains(&flying), "{flying} operations for five deadlines at once");
        assert_eq!((deadlines.len(), deadlines.next_deadline()), (5, None));
        for key in keys {
            assert!(deadlines.remove(key).is_some());
            assert!(deadlines.remove(key).is_none());
        }
        driver.wait(None).expect("the kernel answers");
        while driver.in_flight() > 0 {
            driver.wait(None).expect("the kernel answers");
        }
    });
}

#[test]
fn it_hands_on_what_the_deadlines_inside_say() {
    checked(|| {
        let Some(driver) = driver(8) else { return };
        let mut deadlines = PerDeadline::new(BTreeMap::new(), driver);
        let now = Instant::now();
        let key = |ms, id| Key { deadline: now + ms * MS, id };
        for (ms, id) in [(20, 1), (10, 2), (30, 3), (10, 4)] {
            deadlines.insert(key(ms, id), Waker::noop().clone());
        }
        deadlines.remove(key(10, 4));
        let due = std::iter::from_fn(|| deadlines.pop_until(now + 20 * MS));
        assert_eq!(due.map(|(key, _)| key.id).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(deadlines.len(), 1);
        deadlines.remove(key(30, 3));
        assert!(deadlines.is_empty());
    });
}
