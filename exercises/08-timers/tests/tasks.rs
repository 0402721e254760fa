//! Tasks that sleep, on the runtime of this chapter.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Instant;

use ch05_executor::spawn;
use ch08_timers::{Runtime, Sleep, Timers, sleep, sleep_until};
use common::{Dice, HOUR, MS, SECOND, checked, now, parks, start, virtual_runtime};
use futures::channel::{mpsc, oneshot};
use futures::future::{join, join_all, select};
use futures::{FutureExt, StreamExt};

#[test]
fn the_main_future_sleeps() {
    checked(|| {
        Runtime::new().unwrap().block_on(async {
            for _ in 0..3 {
                let deadline = Instant::now() + 5 * MS;
                sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
            }
        });
    });
}

#[test]
fn hours_take_no_time_on_a_virtual_clock() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            for _ in 0..10 {
                sleep(24 * HOUR).await;
            }
            assert_eq!(now() - began, 240 * HOUR);
        });
    });
}

#[test]
fn two_sleeps_at_once_take_as_long_as_the_longer_one() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            join(sleep(HOUR), sleep(2 * HOUR)).await;
            assert_eq!(now() - began, 2 * HOUR);
        });
    });
}

#[test]
fn tasks_wake_in_the_order_of_their_deadlines() {
    checked(|| {
        virtual_runtime().block_on(async {
            let (log, woken) = mpsc::unbounded();
            for hours in [5, 1, 4, 2, 3] {
                let log = log.clone();
                spawn(async move {
                    sleep(hours * HOUR).await;
                    log.unbounded_send(hours).expect("the main future listens");
                });
            }
            drop(log);
            assert_eq!(woken.collect::<Vec<_>>().await, [1, 2, 3, 4, 5]);
        });
    });
}

#[test]
fn a_task_is_polled_once_for_its_deadline_and_not_for_those_of_others() {
    checked(|| {
        virtual_runtime().block_on(async {
            let polls = Rc::new(Cell::new(0));
            let seen = polls.clone();
            let mut hour = sleep(HOUR);
            let slept = start(poll_fn(move |cx| {
                seen.set(seen.get() + 1);
                hour.poll_unpin(cx)
            }));
            for _ in 0..59 {
                sleep(60 * SECOND).await;
            }
            assert_eq!(polls.get(), 1);
            slept.await.unwrap();
            assert_eq!(polls.get(), 2);
        });
    });
}

#[test]
fn a_sleep_that_moves_to_another_task_wakes_that_one() {
    checked(|| {
        virtual_runtime().block_on(async {
            let (give, take) = oneshot::channel::<Sleep>();
            let first_polls = Rc::new(Cell::new(0));
            let seen = first_polls.clone();
            let mut parts = Some((sleep(HOUR), give));
            let (_keeps_the_first_waiting, mut never) = oneshot::channel::<()>();
            spawn(async move {
                poll_fn(move |cx| {
                    seen.set(seen.get() + 1);
                    if let Some((mut sleep, give)) = parts.take() {
                        assert!(sleep.poll_unpin(cx).is_pending());
                        give.send(sleep).expect("the second task waits");
                    }
                    never.poll_unpin(cx).map(drop)
                })
                .await;
            });
            let began = now();
            let second = start(async move {
                take.await.expect("the first task sends").await;
                now()
            });
            assert_eq!(second.await, Ok(began + HOUR));
            assert_eq!((first_polls.get(), Timers::current().len()), (1, 0));
        });
    });
}

#[test]
fn a_reset_wakes_a_task_at_the_new_time_alone() {
    checked(|| {
        virtual_runtime().block_on(async {
            let began = now();
            let (reset, mut resets) = mpsc::unbounded();
            let slept = start(async move {
                let (mut polls, mut sleep) = (0, sleep(HOUR));
                poll_fn(|cx| {
                    polls += 1;
                    while let Poll::Ready(Some(deadline)) = resets.poll_next_unpin(cx) {
                        sleep.reset(deadline);
                    }
                    Pin::new(&mut sleep).poll(cx)
                })
                .await;
                (polls, now())
            });
            for minutes in [10, 20, 30] {
                sleep(minutes * 60 * SECOND).await;
                reset.unbounded_send(now() + HOUR).expect("the task waits");
            }
            // At first, three resets, and the end.
            assert_eq!(slept.await, Ok((5, began + 2 * HOUR)));
        });
    });
}

#[test]
fn a_sleeper_in_a_select_is_taken_back_when_the_other_wins() {
    checked(|| {
        let runtime = virtual_runtime();
        runtime.block_on(async {
            for _ in 0..100 {
                select(sleep(SECOND), sleep(HOUR)).await;
            }
        });
        assert!(runtime.timers().is_empty());
    });
}

#[test]
fn an_unfinished_sleep_goes_on_in_the_next_block_on() {
    checked(|| {
        let runtime = virtual_runtime();
        let (slept, began) = runtime.block_on(async { (start(sleep(HOUR)), now()) });
        runtime.block_on(async { sleep(HOUR / 2).await });
        assert_eq!(runtime.timers().len(), 1);
        runtime.block_on(slept).unwrap();
        assert_eq!(runtime.timers().clock().now(), began + HOUR);
    });
}

#[test]
fn a_clock_that_is_moved_by_hand_wakes_whom_it_passes() {
    checked(|| {
        virtual_runtime().block_on(async {
            let slept = start(async {
                sleep(HOUR).await;
                now()
            });
            start(async {}).await.unwrap();
            Timers::current().clock().advance(3 * HOUR);
            let moved = now();
            assert_eq!(slept.await, Ok(moved));
        });
    });
}

#[test]
fn sleepers_are_dropped_with_the_runtime() {
    checked(|| {
        let held = Rc::new(());
        let runtime = virtual_runtime();
        let inside = held.clone();
        runtime.block_on(async {
            spawn(async move {
                let _inside = inside;
                sleep(HOUR).await;
            });
            start(async {}).await.unwrap();
            assert_eq!(Timers::current().len(), 1);
        });
        drop(runtime);
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

#[test]
fn a_sleep_may_be_dropped_outside_of_the_runtime_and_after_it() {
    checked(|| {
        let runtime = virtual_runtime();
        let mut sleeps = Vec::new();
        runtime.block_on(async {
            for hours in 1..=2 {
                let mut sleep = sleep(hours * HOUR);
                assert!(futures::poll!(&mut sleep).is_pending());
                sleeps.push(sleep);
            }
        });
        assert_eq!(runtime.timers().len(), 2);
        sleeps.pop();
        assert_eq!(runtime.timers().len(), 1);
        drop(runtime);
        drop(sleeps);
    });
}

#[test]
fn a_runtime_inside_of_another_threads_runtime_has_a_clock_of_its_own() {
    checked(|| {
        virtual_runtime().block_on(async {
            sleep(HOUR).await;
            let other = thread::spawn(|| virtual_runtime().block_on(async { now() }));
            let elsewhere = other.join().expect("it does not panic");
            assert!(elsewhere < now());
        });
    });
}

#[test]
fn a_hundred_thousand_tasks_wake_in_the_order_of_their_deadlines_and_none_early() {
    checked(|| {
        // On a thread that is not recorded: so many events would say no more.
        let other = thread::spawn(|| {
            let mut dice = Dice(1);
            virtual_runtime().block_on(async {
                let began = now();
                let woken = Rc::new(RefCell::new(Vec::new()));
                let ends = (0..100_000).map(|_| {
                    let deadline = began + dice.roll(1_000) as u32 * SECOND;
                    let woken = woken.clone();
                    start(async move {
                        sleep_until(deadline).await;
                        assert_eq!(now(), deadline);
                        woken.borrow_mut().push(deadline);
                    })
                });
                for end in join_all(ends).await {
                    end.expect("no task panics");
                }
                assert!(woken.borrow().is_sorted());
            });
        });
        other.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

#[test]
fn while_all_wait_for_a_deadline_the_thread_parks_once() {
    checked(|| {
        Runtime::new().unwrap().block_on(async {
            spawn(sleep(HOUR));
            start(sleep(50 * MS)).await.unwrap();
            if trace::ENABLED {
                assert_eq!(parks(), 1);
            }
        });
    });
}
