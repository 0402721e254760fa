//! Ticks, on time and late.

mod common;

use std::time::{Duration, Instant};

use ch08_timers::MissedTickBehavior::{self, Burst, Delay, Skip};
use ch08_timers::{Interval, Runtime, Timers, interval, interval_at, sleep};
use common::{HOUR, MS, SECOND, checked, now, panic_text, virtual_runtime};
use futures::{FutureExt, StreamExt};

/// An interval with this behaviour, and when it began.
fn ticking(period: Duration, missed: MissedTickBehavior) -> (Interval, Instant) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(missed);
    (ticks, now())
}

const ALL: [MissedTickBehavior; 3] = [Burst, Delay, Skip];

#[test]
fn the_first_tick_comes_at_once_and_the_others_a_period_apart() {
    checked(|| {
        virtual_runtime().block_on(async {
            for missed in ALL {
                let (mut ticks, began) = ticking(HOUR, missed);
                for number in 0..5 {
                    assert_eq!(ticks.tick().await, began + number * HOUR);
                    assert_eq!(now(), began + number * HOUR);
                }
            }
        });
    });
}

#[test]
fn the_first_tick_comes_at_the_start_that_was_given() {
    checked(|| {
        virtual_runtime().block_on(async {
            let start = now() + HOUR;
            let mut ticks = interval_at(start, SECOND);
            for number in 0..3 {
                assert_eq!(ticks.tick().await, start + number * SECOND);
                assert_eq!(now(), start + number * SECOND);
            }
        });
    });
}

/// When the ticks after the first are due, and when they come, in seconds. The period is 10. The
/// tick at 10 is taken on time, and the next one only at 35.
async fn after_a_pause(missed: MissedTickBehavior) -> Vec<(u64, u64)> {
    let (mut ticks, began) = ticking(10 * SECOND, missed);
    ticks.tick().await;
    let mut seen = Vec::new();
    for number in 1..=6 {
        if number == 2 {
            sleep(25 * SECOND).await;
        }
        let due = ticks.tick().await;
        seen.push(((due - began).as_secs(), (now() - began).as_secs()));
    }
    seen
}

#[test]
fn burst_makes_up_for_the_missed_ticks_and_is_on_time_again() {
    checked(|| {
        let seen = virtual_runtime().block_on(after_a_pause(Burst));
        assert_eq!(seen, [(10, 10), (20, 35), (30, 35), (40, 40), (50, 50), (60, 60)]);
    });
}

#[test]
fn delay_counts_the_next_period_from_the_late_tick() {
    checked(|| {
        let seen = virtual_runtime().block_on(after_a_pause(Delay));
        assert_eq!(seen, [(10, 10), (20, 35), (45, 45), (55, 55), (65, 65), (75, 75)]);
    });
}

#[test]
fn skip_leaves_the_missed_ticks_out_and_goes_on_at_a_multiple_of_the_period() {
    checked(|| {
        let seen = virtual_runtime().block_on(after_a_pause(Skip));
        assert_eq!(seen, [(10, 10), (20, 35), (40, 40), (50, 50), (60, 60), (70, 70)]);
    });
}

/// The distance from the first tick to the one after a pause and a late tick.
async fn next_after(missed: MissedTickBehavior, pause: Duration) -> Duration {
    let (mut ticks, began) = ticking(10 * SECOND, missed);
    ticks.tick().await;
    sleep(pause).await;
    ticks.tick().await;
    ticks.tick().await - began
}

#[test]
fn a_tick_that_is_a_little_late_moves_the_next_one_only_if_they_are_delayed() {
    checked(|| {
        virtual_runtime().block_on(async {
            for (missed, next) in [(Burst, 20), (Delay, 22), (Skip, 20)] {
                assert_eq!(next_after(missed, 12 * SECOND).await, next * SECOND, "{missed:?}");
            }
        });
    });
}

#[test]
fn a_tick_that_is_late_by_just_one_period_is_followed_by_the_next_in_its_place() {
    checked(|| {
        virtual_runtime().block_on(async {
            for (missed, next) in [(Burst, 20), (Delay, 30), (Skip, 30)] {
                assert_eq!(next_after(missed, 20 * SECOND).await, next * SECOND, "{missed:?}");
            }
        });
    });
}

#[test]
fn ticks_that_are_all_a_little_late_stay_on_the_grid() {
    checked(|| {
        virtual_runtime().block_on(async {
            for missed in [Burst, Skip] {
                let (mut ticks, began) = ticking(SECOND, missed);
                for number in 0..1_000 {
                    let due = began + number * SECOND;
                    // As late as a real machine is.
                    Timers::current().clock().advance(due + Duration::from_micros(50) - now());
                    assert_eq!(ticks.tick().await, due, "{missed:?}");
                }
            }
        });
    });
}

#[test]
fn skip_copes_with_any_period_and_any_delay() {
    checked(|| {
        virtual_runtime().block_on(async {
            let century = 100 * 365 * 24 * HOUR;
            for (period, delay) in [
                (Duration::from_nanos(1), century),
                (Duration::from_nanos(7), HOUR + Duration::from_nanos(3)),
                (Duration::new(3, 999_999_999), HOUR),
                (700 * century, 1_400 * century - SECOND),
            ] {
                let (mut ticks, began) = ticking(period, Skip);
                ticks.tick().await;
                Timers::current().clock().advance(period + delay);
                let late = now();
                assert_eq!(ticks.tick().await, began + period);
                let next = ticks.tick().await;
                assert!(late < next && next <= late + period, "{period:?} {delay:?}");
                let since = (next - began).as_nanos();
                assert_eq!(since % period.as_nanos(), 0, "{period:?} {delay:?}");
            }
        });
    });
}

#[test]
fn a_period_that_is_too_long_ticks_once() {
    checked(|| {
        virtual_runtime().block_on(async {
            for missed in ALL {
                let (mut ticks, began) = ticking(Duration::MAX, missed);
                assert_eq!(ticks.tick().await, began);
                sleep(HOUR).await;
                assert!(ticks.tick().now_or_never().is_none());
                assert!(Timers::current().is_empty());
            }
        });
    });
}

#[test]
fn a_dropped_tick_is_not_lost() {
    checked(|| {
        virtual_runtime().block_on(async {
            let (mut ticks, began) = ticking(HOUR, Burst);
            assert_eq!(ticks.tick().await, began);
            assert!(futures::poll!(Box::pin(ticks.tick())).is_pending());
            sleep(HOUR).await;
            drop(ticks.tick());
            assert_eq!(ticks.tick().await, began + HOUR);
            assert_eq!(ticks.tick().await, began + 2 * HOUR);
        });
    });
}

#[test]
fn an_interval_is_a_stream_and_takes_its_deadline_back() {
    checked(|| {
        virtual_runtime().block_on(async {
            let (ticks, began) = ticking(HOUR, Burst);
            let seen: Vec<Duration> = ticks.map(|due| due - began).take(3).collect().await;
            assert_eq!(seen, [Duration::ZERO, HOUR, 2 * HOUR]);

            let mut ticks = interval(HOUR);
            ticks.next().await;
            assert!(futures::poll!(ticks.next()).is_pending());
            assert_eq!(Timers::current().len(), 1);
            drop(ticks);
            assert!(Timers::current().is_empty());
        });
    });
}

#[test]
fn an_interval_without_a_period_panics_and_says_why() {
    checked(|| {
        virtual_runtime().block_on(async {
            let said = panic_text(|| drop(interval(Duration::ZERO)));
            assert_eq!(said, "an interval needs a period");
        });
    });
}

#[test]
fn the_real_clock_ticks_too() {
    checked(|| {
        Runtime::new().unwrap().block_on(async {
            let (mut ticks, began) = ticking(2 * MS, Burst);
            for number in 0..5 {
                let due = ticks.tick().await;
                assert!(Instant::now() >= due);
                assert!(due <= began + number * 2 * MS);
            }
        });
    });
}
