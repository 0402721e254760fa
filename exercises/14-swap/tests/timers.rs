//! Chapter 8's functions on this chapter's wheel.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use ch08_timers::{Clock, Sleep, Timers, interval, sleep, sleep_until, timeout};
use ch14_swap::{DriverKind, Runtime, TimerQueue};
use common::{Dice, checked, driver, runtime, start, turns};
use futures::FutureExt;
use futures::future::{join, join_all, select};

const US: Duration = Duration::from_micros(1);
const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs a body on epoll and on a ring, with a wheel, and a clock whose hours take no time.
fn in_each<F: Future<Output = ()>>(body: impl Fn() -> F + Send + 'static) {
    checked(move || {
        with_each(Clock::virtual_now, |runtime| {
            runtime.block_on(async { body().await });
        });
    });
}

fn with_each(clock: impl Fn() -> Clock, body: impl Fn(Runtime)) {
    body(runtime(DriverKind::Epoll, TimerQueue::Wheel, clock()));
    if driver(8).is_some() {
        body(runtime(DriverKind::Ring, TimerQueue::Wheel, clock()));
    }
}

fn now() -> Instant {
    Timers::current().clock().now()
}

#[test]
fn hours_and_years_take_no_time() {
    in_each(async || {
        let began = now();
        sleep(HOUR).await;
        assert_eq!(now() - began, HOUR);
        sleep(100 * YEAR).await;
        assert_eq!(now() - began, HOUR + 100 * YEAR);
    });
}

#[test]
fn a_sleep_takes_as_long_as_it_should_on_both_sides_of_every_boundary() {
    in_each(async || {
        for wheel in 0..9 {
            let turn = Duration::from_micros(1 << (6 * wheel));
            for time in [turn - US, turn, turn + US, 63 * turn, 5 * turn + 3 * US] {
                let began = now();
                sleep(time).await;
                assert_eq!(now() - began, time);
            }
        }
    });
}

#[test]
fn a_sleep_is_late_by_less_than_a_tick_and_never_early() {
    in_each(async || {
        for ns in [1, 999, 1000, 1001, 1_000_001, 63_999, 64_001] {
            let (began, time) = (now(), Duration::from_nanos(ns));
            sleep(time).await;
            let took = now() - began;
            // The clock stands at a fraction of a tick itself, now and then.
            assert!(took >= time && took < time + US, "{took:?} instead of {time:?}");
        }
    });
}

#[test]
fn who_sleeps_for_ever_or_for_centuries_disturbs_nobody() {
    // Who sleeps for ever leaves no waker behind, and the trace would complain of that.
    unrecorded(|| {
        with_each(Clock::virtual_now, |runtime| {
            runtime.block_on(async {
                let polls = Rc::new(Cell::new(0));
                let times = [Duration::MAX, 500 * YEAR, Duration::from_secs(u64::MAX / 4)];
                let sleepers = times.map(|time| {
                    let (seen, mut sleep) = (polls.clone(), sleep(time));
                    start(poll_fn(move |cx| {
                        seen.set(seen.get() + 1);
                        sleep.poll_unpin(cx)
                    }))
                });
                assert!(timeout(Duration::MAX, sleep(HOUR)).await.is_ok());
                sleep(YEAR).await;
                assert_eq!(polls.get(), 3);
                let [_, centuries, _] = sleepers;
                centuries.await.expect("the task ends");
            });
        });
    });
}

/// How often a task is polled that sleeps for so long, and does nothing else.
async fn polls_of_a_sleep(time: Duration) -> usize {
    let polls = Rc::new(Cell::new(0));
    let (seen, mut sleep) = (polls.clone(), sleep(time));
    let slept = start(poll_fn(move |cx| {
        seen.set(seen.get() + 1);
        sleep.poll_unpin(cx)
    }));
    slept.await.expect("the task ends");
    polls.get()
}

#[test]
fn a_task_is_polled_once_for_its_deadline_however_often_that_cascades() {
    in_each(async || {
        for time in [64 * US, 4097 * US, HOUR, 24 * HOUR + 7 * US, YEAR] {
            assert_eq!(polls_of_a_sleep(time).await, 2);
        }
    });
}

#[test]
fn a_task_is_polled_once_for_a_deadline_between_two_ticks() {
    in_each(async || {
        for ns in [1, 500, 999, 64_001, 3_600_000_000_007] {
            assert_eq!(polls_of_a_sleep(Duration::from_nanos(ns)).await, 2);
        }
    });
}

#[test]
fn a_timeout_ends_what_takes_too_long_and_nothing_else() {
    in_each(async || {
        let began = now();
        assert!(timeout(HOUR, pending::<()>()).await.is_err());
        assert_eq!(now() - began, HOUR);
        assert_eq!(timeout(HOUR, async { 7 }).await, Ok(7));
        assert!(timeout(HOUR, sleep(HOUR)).await.is_ok());
        assert_eq!(now() - began, 2 * HOUR);
    });
}

#[test]
fn an_interval_stays_on_its_grid() {
    in_each(async || {
        for period in [64 * US, 65 * US, 4096 * US, SECOND, HOUR] {
            let (began, mut ticks) = (now(), interval(period));
            for number in 0..100 {
                assert_eq!(ticks.tick().await, began + number * period);
                assert_eq!(now(), began + number * period);
            }
        }
    });
}

#[test]
fn a_reset_sleep_ends_at_its_new_time_alone() {
    in_each(async || {
        let began = now();
        let mut waits: Sleep = sleep(64 * US);
        for micros in [1_u32, 63, 64, 65, 4095, 4096, 4097, 1_000_000, 5] {
            assert!(futures::poll!(&mut waits).is_pending());
            waits.reset(began + micros * US);
        }
        (&mut waits).await;
        assert_eq!(now(), began + 5 * US);
        assert!(Timers::current().is_empty());
    });
}

#[test]
fn of_two_sleeps_the_longer_one_is_taken_back_when_the_shorter_one_wins() {
    in_each(async || {
        for _ in 0..100 {
            select(sleep(SECOND), sleep(HOUR)).await;
            assert!(Timers::current().is_empty());
        }
        join(sleep(SECOND), sleep(HOUR)).await;
    });
}

#[test]
fn a_clock_that_is_moved_by_hand_wakes_whom_it_passes() {
    in_each(async || {
        let slept = [SECOND, HOUR, 100 * HOUR].map(|time| start(sleep(time)));
        turns(3).await;
        Timers::current().clock().advance(3 * HOUR);
        let moved = now();
        let [second, hour, hundred] = slept;
        assert!(second.await.is_ok() && hour.await.is_ok());
        assert_eq!(now(), moved);
        hundred.await.expect("the task ends");
        assert_eq!(now(), moved + 97 * HOUR);
    });
}

/// Without a recording: so many events would say no more.
fn unrecorded(body: impl FnOnce() + Send + 'static) {
    checked(|| thread::spawn(body).join().unwrap_or_else(|panic| resume_unwind(panic)));
}

/// As many tasks, each asleep until a time between a microsecond and a quarter of an hour.
fn wake_in_order(runtime: &Runtime, tasks: usize) {
    let woken = Rc::new(RefCell::new(Vec::new()));
    runtime.block_on(async {
        let (mut dice, began) = (Dice(1), now());
        let ends: Vec<_> = (0..tasks)
            .map(|number| {
                let distance = dice.roll(1000);
                let deadline = began + Duration::from_micros(distance * distance * distance);
                let woken = woken.clone();
                start(async move {
                    sleep_until(deadline).await;
                    assert_eq!(now(), deadline);
                    woken.borrow_mut().push((deadline, number));
                })
            })
            .collect();
        join_all(ends).await;
    });
    let woken = woken.take();
    assert!(woken.len() == tasks && woken.is_sorted());
}

#[test]
fn a_hundred_thousand_tasks_wake_in_the_order_of_their_deadlines_and_none_early() {
    unrecorded(|| {
        let on = |driver| runtime(driver, TimerQueue::Wheel, Clock::virtual_now());
        wake_in_order(&on(DriverKind::Epoll), 100_000);
        if driver(8).is_some() {
            wake_in_order(&on(DriverKind::Ring), 10_000);
        }
    });
}

#[test]
fn by_the_real_clock_nobody_is_early_either() {
    unrecorded(|| {
        with_each(Clock::real, |runtime| {
            runtime.block_on(async {
                let mut dice = Dice(1);
                let ends: Vec<_> = (0..10_000)
                    .map(|_| {
                        let deadline =
                            Instant::now() + Duration::from_nanos(dice.roll(100_000_000));
                        start(async move {
                            sleep_until(deadline).await;
                            assert!(Instant::now() >= deadline);
                        })
                    })
                    .collect();
                assert!(join_all(ends).await.iter().all(Result::is_ok));
            });
            assert!(runtime.timers().is_empty());
        });
    });
}

#[test]
fn timeouts_beside_each_other_are_set_and_taken_back_and_nothing_is_left() {
    unrecorded(|| {
        with_each(Clock::real, |runtime| {
            runtime.block_on(async {
                let ends: Vec<_> = (0..100)
                    .map(|_| {
                        start(async {
                            for _ in 0..1000 {
                                timeout(HOUR, turns(1)).await.expect("an hour is enough");
                            }
                        })
                    })
                    .collect();
                assert!(join_all(ends).await.iter().all(Result::is_ok));
                sleep(MS).await;
            });
            assert!(runtime.timers().is_empty());
        });
    });
}
