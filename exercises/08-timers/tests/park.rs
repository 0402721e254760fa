//! The seam: what the timers ask of the park inside, and what the loop sees of them.

mod common;

use std::cell::RefCell;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use ch03_block_on::Parker;
use ch05_executor::{Executor, Park, spawn};
use ch08_timers::{Clock, Sleep, TimerPark, Timers, enter, sleep, sleep_until};
use common::{Dice, HOUR, Log, MS, NOW, SECOND, checked, now, start};
use futures::channel::oneshot;

type Timeouts = Rc<RefCell<Vec<Option<Duration>>>>;

/// Notes the timeouts, and calls a function that says how to go on. Does not sleep.
struct Fake<F> {
    timeouts: Timeouts,
    park: F,
}

impl<F: Fn(Option<Duration>) -> io::Result<()>> Park for Fake<F> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.timeouts.borrow_mut().push(timeout);
        (self.park)(timeout)
    }

    fn unparker(&self) -> Waker {
        Waker::noop().clone()
    }
}

/// Timers around a park that returns at once, and the timeouts that it was given.
fn around_a_fake(clock: Clock) -> (Rc<Timers>, TimerPark<impl Park>, Timeouts) {
    let timers = Rc::new(Timers::new(clock));
    let timeouts = Timeouts::default();
    let fake = Fake { timeouts: timeouts.clone(), park: |_| Ok(()) };
    (timers.clone(), TimerPark::new(fake, timers), timeouts)
}

/// Sleeps, and is woken by nobody who minds.
fn asleep(timers: &Rc<Timers>, deadline: Instant) -> Sleep {
    let mut sleep = enter(timers, || sleep_until(deadline));
    assert!(Log::default().sleeper(0).poll(&mut sleep).is_pending());
    sleep
}

#[test]
fn without_deadlines_the_timeout_is_passed_on_as_it_is() {
    checked(|| {
        let (_, park, timeouts) = around_a_fake(Clock::real());
        for timeout in [None, NOW, Some(HOUR), Some(Duration::MAX)] {
            park.park(timeout).unwrap();
            assert_eq!(timeouts.take(), [timeout]);
        }
    });
}

#[test]
fn the_nearest_deadline_is_the_longest_that_the_park_inside_may_sleep() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::real());
        let nearest = Instant::now() + HOUR;
        let _sleeps = [nearest + HOUR, nearest, nearest + SECOND].map(|at| asleep(&timers, at));
        for timeout in [None, Some(2 * HOUR), Some(Duration::MAX)] {
            let before = Instant::now();
            park.park(timeout).unwrap();
            let after = Instant::now();
            let asked = timeouts.take()[0].expect("there is a deadline");
            assert!((nearest - after..=nearest - before).contains(&asked), "{asked:?}");
        }
    });
}

#[test]
fn a_shorter_timeout_is_kept() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::real());
        let _sleep = asleep(&timers, Instant::now() + HOUR);
        for timeout in [Some(SECOND), NOW] {
            park.park(timeout).unwrap();
            assert_eq!(timeouts.take(), [timeout]);
        }
    });
}

#[test]
fn a_park_that_returns_early_wakes_nobody_and_sleeps_for_the_rest_next_time() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::real());
        let (log, mut sleep) = (Log::default(), enter(&timers, || sleep(HOUR)));
        assert!(log.sleeper(1).poll(&mut sleep).is_pending());
        for _ in 0..3 {
            park.park(None).unwrap();
            assert!(log.take().is_empty());
        }
        let timeouts = timeouts.take();
        assert!(timeouts.is_sorted_by(|earlier, later| earlier >= later), "{timeouts:?}");
    });
}

#[test]
fn a_deadline_that_comes_while_the_thread_sleeps_wakes_in_the_same_park() {
    checked(|| {
        let timers = Rc::new(Timers::new(Clock::real()));
        let park = TimerPark::new(Parker::new(), timers.clone());
        let (log, mut sleep) = (Log::default(), enter(&timers, || sleep(5 * MS)));
        assert!(log.sleeper(1).poll(&mut sleep).is_pending());
        let deadline = sleep.deadline().unwrap();
        park.park(None).unwrap();
        assert_eq!(log.take(), [1]);
        assert!(Instant::now() >= deadline);
    });
}

#[test]
fn a_hundred_thousand_are_woken_by_the_real_clock_in_order_and_none_early() {
    checked(|| {
        // On a thread that is not recorded: so many events would say no more.
        let other = thread::spawn(|| {
            let timers = Rc::new(Timers::new(Clock::real()));
            let park = TimerPark::new(Parker::new(), timers.clone());
            let (log, mut dice) = (Log::default(), Dice(1));
            let began = Instant::now() + 300 * MS;
            let mut sleeps: Vec<Sleep> = Vec::new();
            let mut asleep: Vec<usize> = Vec::new();
            for name in 0..100_000 {
                let deadline = began + Duration::from_micros(dice.roll(200_000) as u64);
                sleeps.push(enter(&timers, || sleep_until(deadline)));
                // On a very slow machine, some of them are over already.
                if log.sleeper(name).poll(&mut sleeps[name]).is_pending() {
                    asleep.push(name);
                }
            }

            let mut woken = Vec::new();
            while !timers.is_empty() {
                park.park(None).unwrap();
                let now = Instant::now();
                for name in log.take() {
                    assert!(sleeps[name].deadline() <= Some(now));
                    woken.push(name);
                }
            }
            asleep.sort_by_key(|name| (sleeps[*name].deadline(), *name));
            assert!(woken == asleep);
        });
        other.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

#[test]
fn a_deadline_that_was_passed_before_the_park_is_met_without_sleep() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::real());
        let (log, mut sleep) = (Log::default(), enter(&timers, || sleep(MS)));
        assert!(log.sleeper(1).poll(&mut sleep).is_pending());
        while !sleep.is_elapsed() {
            thread::yield_now();
        }
        park.park(None).unwrap();
        assert_eq!((log.take(), timeouts.take()), (vec![1], vec![NOW]));
    });
}

#[test]
fn a_park_inside_that_fails_fails_the_park_and_the_deadlines_stay() {
    checked(|| {
        let timers = Rc::new(Timers::new(Clock::real()));
        let fails = |_| Err(io::Error::other("the sources are gone"));
        let fake = Fake { timeouts: Timeouts::default(), park: fails };
        let park = TimerPark::new(fake, timers.clone());
        let sleep = asleep(&timers, Instant::now() + HOUR);
        assert_eq!(park.park(None).unwrap_err().to_string(), "the sources are gone");
        assert_eq!(timers.len(), 1);
        drop(sleep);
    });
}

#[test]
fn the_unparker_is_that_of_the_park_inside() {
    checked(|| {
        let timers = Rc::new(Timers::new(Clock::real()));
        let park = TimerPark::new(Parker::new(), timers.clone());
        let _sleep = asleep(&timers, Instant::now() + HOUR);
        park.unparker().wake();
        park.park(None).unwrap();

        let unparker = park.unparker();
        let other = thread::spawn(move || unparker.wake());
        park.park(None).unwrap();
        other.join().unwrap();
    });
}

#[test]
fn timers_may_stand_around_timers() {
    // Both count their timers from 1, so the trace cannot tell them apart.
    conformance::watch(|| {
        let (inner, park, timeouts) = around_a_fake(Clock::real());
        let outer = Rc::new(Timers::new(Clock::real()));
        let park = TimerPark::new(park, outer.clone());
        let early = Instant::now() + HOUR;
        for (inner_at, outer_at) in [(early, early + HOUR), (early + HOUR, early)] {
            let _sleeps = [asleep(&inner, inner_at), asleep(&outer, outer_at)];
            park.park(None).unwrap();
            assert!(timeouts.take()[0] <= Some(HOUR));
        }
    });
}

#[test]
fn a_virtual_clock_looks_at_the_park_inside_and_jumps_when_the_loop_comes_back() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::virtual_now());
        let start = timers.clock().now();
        let (log, mut sleep) = (Log::default(), enter(&timers, || sleep(HOUR)));
        for round in 1..=3 {
            assert!(log.sleeper(1).poll(&mut sleep).is_pending());
            park.park(None).unwrap();
            assert_eq!((log.take(), timeouts.take()), (vec![], vec![NOW]));
            park.park(None).unwrap();
            assert_eq!((log.take(), timeouts.take()), (vec![1], vec![]));
            assert_eq!(timers.clock().now(), start + round * HOUR);
            sleep.reset(timers.clock().now() + HOUR);
        }
    });
}

#[test]
fn a_park_with_a_timeout_moves_a_virtual_clock_no_further_than_that() {
    checked(|| {
        let (timers, park, _) = around_a_fake(Clock::virtual_now());
        let start = timers.clock().now();
        let sleep = asleep(&timers, start + HOUR);
        for _ in 0..2 {
            park.park(Some(SECOND)).unwrap();
        }
        assert_eq!((timers.clock().now(), timers.len()), (start + SECOND, 1));
        // Also without a deadline: a timeout is a time on this clock.
        drop(sleep);
        for _ in 0..2 {
            park.park(Some(SECOND)).unwrap();
        }
        assert_eq!(timers.clock().now(), start + 2 * SECOND);
    });
}

#[test]
fn a_park_with_no_time_does_not_move_a_virtual_clock() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::virtual_now());
        let start = timers.clock().now();
        let _sleep = asleep(&timers, start + HOUR);
        for _ in 0..3 {
            park.park(NOW).unwrap();
            assert_eq!(timeouts.take(), [NOW]);
        }
        assert_eq!(timers.clock().now(), start);
    });
}

#[test]
fn without_deadlines_a_virtual_clock_waits_like_a_real_one() {
    checked(|| {
        let (timers, park, timeouts) = around_a_fake(Clock::virtual_now());
        let start = timers.clock().now();
        for _ in 0..2 {
            park.park(None).unwrap();
            assert_eq!(timeouts.take(), [None]);
        }
        assert_eq!(timers.clock().now(), start);
    });
}

#[test]
fn whoever_the_park_inside_wakes_runs_before_a_virtual_clock_jumps() {
    checked(|| {
        let timers = Rc::new(Timers::new(Clock::virtual_now()));
        // A source that has something to say the first time that it is asked.
        let (sender, receiver) = oneshot::channel();
        let sender = RefCell::new(Some(sender));
        let source = Fake {
            timeouts: Timeouts::default(),
            park: move |_| {
                if let Some(sender) = sender.take() {
                    sender.send("news").expect("the task waits");
                }
                Ok(())
            },
        };
        let executor = Executor::new(TimerPark::new(source, timers.clone()));
        enter(&timers, || {
            executor.block_on(async {
                let began = now();
                let heard = start(async move {
                    assert_eq!(receiver.await, Ok("news"));
                    now()
                });
                spawn(sleep(HOUR));
                assert_eq!(heard.await, Ok(began), "the hour has overtaken the news");
            });
        });
    });
}
