//! The states of a task, as the trace shows them.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use ch03_block_on::Parker;
use ch05_executor::{Executor, spawn};
use conformance::watch;
use conformance::{Probe, panic_text, yield_now};
use trace::{Event, PollResult, Recording, TaskId};

/// What happened to the task so far, a word for each step.
fn history(id: TaskId) -> String {
    let recording = Recording::current().expect("`watch` records");
    let word = |event: &Event| match event {
        Event::Enqueue { task } if *task == id => Some("queued"),
        Event::PollStart { task } if *task == id => Some("running"),
        Event::PollEnd { task, result, .. } if *task == id => Some(match result {
            PollResult::Pending => "pending",
            PollResult::Ready => "ready",
            PollResult::Panicked => "panicked",
        }),
        _ => None,
    };
    let events = recording.events();
    events.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_idle_task_that_is_woken_twice_is_queued_once() {
    watch(|| {
        Executor::new(Parker::new()).block_on(async {
            let probe = Probe::default();
            spawn(probe.clone());
            yield_now().await;
            probe.waker().wake_by_ref();
            probe.waker().wake();
            yield_now().await;
        });
        assert_eq!(history(1), "queued running pending queued running pending");
    });
}

#[test]
fn a_running_task_that_is_woken_twice_is_queued_once() {
    watch(|| {
        Executor::new(Parker::new()).block_on(async {
            let mut polls = 0;
            spawn(poll_fn(move |context| {
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                context.waker().wake_by_ref();
                Poll::Pending
            }));
            yield_now().await;
        });
        assert_eq!(history(1), "queued running queued pending running ready");
    });
}

#[test]
fn a_task_that_queued_itself_is_not_queued_again_by_others() {
    watch(|| {
        Executor::new(Parker::new()).block_on(async {
            let probe = Probe::default();
            let inner = probe.clone();
            spawn(async move {
                let _pending = futures::poll!(inner);
                yield_now().await;
            });
            // Runs in between: the first task has had its first poll, and not yet its second.
            spawn(async move { probe.waker().wake() });
            yield_now().await;
        });
        assert_eq!(history(1), "queued running queued pending running ready");
    });
}

#[test]
fn a_task_that_wakes_itself_and_ends_is_not_polled_again() {
    watch(|| {
        Executor::new(Parker::new()).block_on(async {
            spawn(poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::Ready(())
            }));
            yield_now().await;
            yield_now().await;
        });
        assert_eq!(history(1), "queued running queued ready");
    });
}

#[test]
fn a_task_that_is_gone_is_queued_no_more() {
    watch(|| {
        Executor::new(Parker::new()).block_on(async {
            let probe = Probe::default();
            probe.done.set(true);
            spawn(probe.clone());
            yield_now().await;
            probe.waker().wake_by_ref();
            probe.waker().wake();
            yield_now().await;
        });
        assert_eq!(history(1), "queued running ready");
    });
}

#[test]
fn a_task_that_panics_is_gone() {
    watch(|| {
        let executor = Executor::new(Parker::new());
        let probe = Probe::default();
        let inner = probe.clone();
        let text = panic_text(|| {
            executor.block_on(async move {
                spawn(async move {
                    let _pending = futures::poll!(inner);
                    panic!("as it should");
                });
                yield_now().await;
            })
        });
        assert_eq!(text, "as it should");

        probe.waker().wake();
        executor.block_on(yield_now());
        assert_eq!(history(1), "queued running panicked");
    });
}

#[test]
fn a_task_that_is_woken_outside_of_block_on_is_queued_for_the_next_one() {
    watch(|| {
        let executor = Executor::new(Parker::new());
        let probe = Probe::default();
        executor.block_on(async {
            spawn(probe.clone());
            yield_now().await;
        });
        probe.waker().wake();
        assert_eq!(history(1), "queued running pending queued");
        executor.block_on(yield_now());
        assert_eq!(history(1), "queued running pending queued running pending");
    });
}

#[test]
fn a_task_without_any_waker_stays_until_the_executor_is_dropped() {
    struct SetOnDrop(Rc<Cell<bool>>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    watch(|| {
        let executor = Executor::new(Parker::new());
        let dropped = Rc::new(Cell::new(false));
        let flag = SetOnDrop(dropped.clone());
        executor.block_on(async {
            spawn(async move {
                let _flag = flag;
                // Keeps no waker, so nobody can wake the task any more.
                futures::pending!();
            });
            yield_now().await;
        });
        assert!(!dropped.get());
        drop(executor);
        assert!(dropped.get());
    });
}
