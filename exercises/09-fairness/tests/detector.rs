//! The detector of slow polls, by a clock that only moves when a test moves it.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ch09_fairness::{Config, Executor, SlowPoll, spawn};
use common::{checked, forever, panic_text, reactor, wake_itself};

const LIMIT: Duration = Duration::from_micros(100);
const NANOSECOND: Duration = Duration::from_nanos(1);

/// A clock, and what the detector has said.
#[derive(Clone, Default)]
struct Watch {
    elapsed: Rc<Cell<Duration>>,
    reports: Rc<RefCell<Vec<SlowPoll>>>,
}

impl Watch {
    /// Computes for this long.
    fn work(&self, time: Duration) {
        self.elapsed.set(self.elapsed.get() + time);
    }

    fn executor(&self) -> Executor {
        let reports = self.reports.clone();
        self.executor_with(move |slow| reports.borrow_mut().push(slow))
    }

    fn executor_with(&self, report: impl Fn(SlowPoll) + 'static) -> Executor {
        let (elapsed, start) = (self.elapsed.clone(), Instant::now());
        let config = Config {
            report: Box::new(report),
            clock: Box::new(move || start + elapsed.get()),
            ..Config::default()
        };
        Executor::new(reactor(), config)
    }

    /// The lines of this file at which the reported tasks were spawned, and what their polls took.
    fn reported(&self) -> Vec<(Option<u32>, Duration)> {
        let reports = self.reports.borrow();
        reports.iter().map(|slow| (slow.spawned_at.map(Location::line), slow.took)).collect()
    }
}

#[test]
fn a_slow_poll_is_reported_with_the_place_where_its_task_was_spawned() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        let line = line!() + 2;
        watch.executor().block_on(async {
            spawn(async move { worker.work(Duration::from_millis(3)) });
            wake_itself().await;
        });
        assert_eq!(watch.reported(), [(Some(line), Duration::from_millis(3))]);
        let said = watch.reports.borrow()[0].to_string();
        let file = file!();
        assert_eq!(
            said,
            format!(
                "the task that was spawned at {file}:{line}:13 kept the thread for 3ms in one poll"
            )
        );
    });
}

#[test]
fn a_poll_that_takes_just_as_long_as_it_may_is_not_reported() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        let line = line!() + 2;
        watch.executor().block_on(async {
            spawn(async move {
                worker.work(LIMIT);
                wake_itself().await;
                worker.work(LIMIT + NANOSECOND);
            });
            wake_itself().await;
            wake_itself().await;
        });
        assert_eq!(watch.reported(), [(Some(line), LIMIT + NANOSECOND)]);
    });
}

#[test]
fn each_poll_is_timed_by_itself() {
    checked(|| {
        let watch = Watch::default();
        let (worker, other) = (watch.clone(), watch.clone());
        watch.executor().block_on(async {
            spawn(async move {
                for _ in 0..100 {
                    worker.work(LIMIT);
                    wake_itself().await;
                }
            });
            for _ in 0..150 {
                // What passes between two polls is nobody's.
                other.work(LIMIT);
                wake_itself().await;
            }
        });
        assert_eq!(watch.reported(), []);
    });
}

#[test]
fn every_slow_poll_of_a_task_is_reported() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        let line = line!() + 2;
        watch.executor().block_on(async {
            spawn(async move {
                for times in 2..=4 {
                    worker.work(times * LIMIT);
                    wake_itself().await;
                }
            });
            for _ in 0..10 {
                wake_itself().await;
            }
        });
        assert_eq!(watch.reported(), [2, 3, 4].map(|times| (Some(line), times * LIMIT)));
    });
}

#[test]
fn a_task_that_a_task_has_spawned_has_a_place_of_its_own() {
    checked(|| {
        let watch = Watch::default();
        let (outer, inner) = (watch.clone(), watch.clone());
        let line = line!() + 2;
        watch.executor().block_on(async {
            spawn(async move {
                spawn(async move { inner.work(3 * LIMIT) });
                outer.work(2 * LIMIT);
            });
            wake_itself().await;
            wake_itself().await;
        });
        let expected = [(Some(line), 2 * LIMIT), (Some(line + 1), 3 * LIMIT)];
        assert_eq!(watch.reported(), expected);
    });
}

#[test]
fn a_task_that_another_spawn_has_started_has_no_place() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        watch.executor().block_on(async {
            spawn(async {});
            ch05_executor::spawn(async move { worker.work(2 * LIMIT) });
            wake_itself().await;
        });
        assert_eq!(watch.reported(), [(None, 2 * LIMIT)]);
        let said = watch.reports.borrow()[0].to_string();
        assert_eq!(said, "a task kept the thread for 200µs in one poll");
    });
}

#[test]
fn a_task_does_not_get_the_place_of_a_spawn_that_has_failed() {
    checked(|| {
        panic_text(|| spawn(async {}));
        let watch = Watch::default();
        let worker = watch.clone();
        watch.executor().block_on(async {
            ch05_executor::spawn(async move { worker.work(2 * LIMIT) });
            wake_itself().await;
        });
        assert_eq!(watch.reported(), [(None, 2 * LIMIT)]);
    });
}

#[test]
fn a_report_may_spawn() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        let heard = Rc::new(Cell::new(false));
        let hears = heard.clone();
        let executor = watch.executor_with(move |_| {
            let hears = hears.clone();
            spawn(async move { hears.set(true) });
        });
        executor.block_on(async {
            spawn(async move { worker.work(2 * LIMIT) });
            wake_itself().await;
            wake_itself().await;
        });
        assert!(heard.get());
    });
}

#[test]
fn a_report_that_panics_ends_the_task_and_leaves_the_executor_usable() {
    checked(|| {
        let watch = Watch::default();
        let worker = watch.clone();
        let executor = watch.executor_with(|slow| panic!("{slow}"));
        let polls = Rc::new(Cell::new(0));
        let (slow, other) = (polls.clone(), Rc::new(Cell::new(false)));
        let seen = other.clone();
        let text = panic_text(|| {
            executor.block_on(async {
                spawn(async move {
                    loop {
                        slow.set(slow.get() + 1);
                        worker.work(2 * LIMIT);
                        wake_itself().await;
                    }
                });
                spawn(async move { seen.set(true) });
                forever().await;
            })
        });
        assert!(text.contains("kept the thread for 200µs"), "{text}");
        for _ in 0..3 {
            executor.block_on(wake_itself());
        }
        assert_eq!(polls.get(), 1, "the task has ended");
        assert!(other.get(), "the other one went on");
    });
}

#[test]
fn the_main_future_is_not_timed() {
    checked(|| {
        let watch = Watch::default();
        watch.executor().block_on(async { watch.work(2 * LIMIT) });
        assert_eq!(watch.reported(), []);
    });
}

#[test]
fn the_default_limit_is_100_microseconds_and_the_clock_is_a_real_one() {
    checked(|| {
        let config = Config::default();
        assert_eq!(config.slow_poll, LIMIT);
        let before = Instant::now();
        let now = (config.clock)();
        assert!((before..=Instant::now()).contains(&now));
    });
}
