//! The scheduler without a loop around it: which wakes bring a poll, and how many.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::Scheduler;
use conformance::watch;
use conformance::{Probe, panic_text, yield_now};

/// Cancels its tasks in the end, as an executor does: a future that keeps its own waker is a circle.
#[derive(Default)]
struct Alone(Rc<Scheduler>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.cancel_all();
    }
}

impl Alone {
    fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.0.spawn(Box::pin(future).into());
    }

    /// Polls the task that was queued first.
    fn run_one(&self) {
        assert!(self.0.run_next(), "no task is queued");
    }

    /// Runs the queue until it is empty. Returns how many times a task was taken out.
    fn run(&self) -> usize {
        let mut taken = 0;
        while self.0.run_next() {
            taken += 1;
        }
        assert!(self.0.is_idle());
        taken
    }
}

/// A scheduler with these probes as its tasks. Each has had its first poll.
fn idle<const N: usize>(probes: [&Probe; N]) -> Alone {
    let scheduler = Alone::default();
    for probe in probes {
        scheduler.spawn(probe.clone());
    }
    assert_eq!(scheduler.run(), N);
    scheduler
}

#[test]
fn a_task_that_is_not_woken_is_polled_once() {
    watch(|| {
        let probe = Probe::default();
        let scheduler = idle([&probe]);
        assert_eq!((scheduler.run(), probe.polls.get()), (0, 1));
    });
}

#[test]
fn a_wake_of_an_idle_task_brings_one_poll() {
    watch(|| {
        let probe = Probe::default();
        let scheduler = idle([&probe]);
        for polls in 2..5 {
            probe.waker().wake();
            assert!(!scheduler.0.is_idle());
            assert_eq!((scheduler.run(), probe.polls.get()), (1, polls));
        }
    });
}

#[test]
fn tasks_are_polled_in_the_order_of_their_wakes() {
    watch(|| {
        let [first, second] = [Probe::default(), Probe::default()];
        let scheduler = idle([&first, &second]);
        second.waker().wake();
        first.waker().wake();
        scheduler.run_one();
        assert_eq!((first.polls.get(), second.polls.get()), (1, 2));
        assert_eq!(scheduler.run(), 1);
        assert_eq!((first.polls.get(), second.polls.get()), (2, 2));
    });
}

#[test]
fn two_wakes_of_an_idle_task_bring_one_poll() {
    watch(|| {
        let probe = Probe::default();
        let scheduler = idle([&probe]);
        probe.waker().wake_by_ref();
        probe.waker().wake();
        assert_eq!((scheduler.run(), probe.polls.get()), (1, 2));
    });
}

#[test]
fn two_wakes_of_a_running_task_bring_one_more_poll() {
    watch(|| {
        let scheduler = Alone::default();
        let polls = Rc::new(Cell::new(0));
        let seen = polls.clone();
        scheduler.spawn(poll_fn(move |context| {
            seen.set(seen.get() + 1);
            if seen.get() == 1 {
                context.waker().wake_by_ref();
                context.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        assert_eq!((scheduler.run(), polls.get()), (2, 2));
    });
}

#[test]
fn a_wake_of_a_task_that_has_ended_queues_nothing() {
    watch(|| {
        let probe = Probe::default();
        probe.done.set(true);
        let scheduler = idle([&probe]);
        probe.waker().wake_by_ref();
        probe.waker().wake();
        assert_eq!((scheduler.run(), probe.polls.get()), (0, 1));
    });
}

#[test]
fn a_task_that_wakes_itself_and_panics_in_its_next_poll_is_gone() {
    watch(|| {
        let scheduler = Alone::default();
        let probe = Probe::default();
        let inner = probe.clone();
        scheduler.spawn(async move {
            let _pending = futures::poll!(inner);
            yield_now().await;
            panic!("as it should");
        });
        scheduler.run_one();
        assert!(!scheduler.0.is_idle(), "it was woken during its poll");
        let text = panic_text(|| scheduler.run_one());
        assert_eq!(text, "as it should");

        probe.waker().wake();
        assert!(scheduler.0.is_idle(), "it has ended, and is queued again");
    });
}

#[test]
fn a_wake_of_a_task_that_was_cancelled_queues_nothing() {
    watch(|| {
        let probe = Probe::default();
        let scheduler = idle([&probe]);
        scheduler.0.cancel_all();
        probe.waker().wake();
        assert_eq!((scheduler.run(), probe.polls.get()), (0, 1));
    });
}
