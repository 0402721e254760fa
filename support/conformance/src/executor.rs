//! What every executor owes its tasks. [`executor_suite!`](crate::executor_suite!) makes the tests.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt};
use trace::Recording;

use crate::{Probe, Stage, yield_now};

type Log<T> = Rc<RefCell<Vec<T>>>;

/// Runs its closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

pub fn tasks_run_in_the_order_of_spawning<S: Stage>() {
    let log: Log<usize> = Log::default();
    S::new().block_on(async {
        for number in 0..10 {
            let log = log.clone();
            S::spawn(async move { log.borrow_mut().push(number) });
        }
        yield_now().await;
    });
    assert_eq!(*log.borrow(), (0..10).collect::<Vec<_>>());
}

pub fn spawn_returns_before_the_task_runs<S: Stage>() {
    S::new().block_on(async {
        let ran = Rc::new(Cell::new(false));
        let seen = ran.clone();
        S::spawn(async move { seen.set(true) });
        assert!(!ran.get());
        yield_now().await;
        assert!(ran.get());
    });
}

pub fn a_task_may_spawn_tasks<S: Stage>() {
    fn descend<S: Stage>(depth: usize, bottom: oneshot::Sender<usize>) {
        S::spawn(async move {
            match depth {
                100 => bottom.send(depth).expect("the main future waits"),
                _ => descend::<S>(depth + 1, bottom),
            }
        });
    }
    let reached = S::new().block_on(async {
        let (bottom, reached) = oneshot::channel();
        descend::<S>(0, bottom);
        reached.await
    });
    assert_eq!(reached, Ok(100));
}

pub fn tasks_that_yield_take_turns<S: Stage>() {
    let log: Log<char> = Log::default();
    S::new().block_on(async {
        let (done, all_done) = mpsc::unbounded::<()>();
        for name in ['a', 'b', 'c'] {
            let (log, done) = (log.clone(), done.clone());
            S::spawn(async move {
                for _ in 0..3 {
                    log.borrow_mut().push(name);
                    yield_now().await;
                }
                drop(done);
            });
        }
        drop(done);
        all_done.collect::<Vec<()>>().await;
    });
    assert_eq!(log.borrow().iter().collect::<String>(), "abcabcabc");
}

pub fn many_wakes_make_one_poll<S: Stage>() {
    let probe = Probe::default();
    S::new().block_on(async {
        S::spawn(probe.clone());
        yield_now().await;
        for _ in 0..5 {
            probe.waker().wake_by_ref();
            probe.waker().wake();
        }
        yield_now().await;
        yield_now().await;
        assert_eq!(probe.polls.get(), 2);
    });
}

pub fn a_wake_during_the_poll_makes_another<S: Stage>() {
    let polls = Rc::new(Cell::new(0));
    let seen = polls.clone();
    S::new()
        .block_on(async {
            let (done, is_done) = oneshot::channel();
            S::spawn(async move {
                poll_fn(|cx| {
                    seen.set(seen.get() + 1);
                    if seen.get() == 3 {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                done.send(()).expect("the main future waits");
            });
            is_done.await
        })
        .expect("the task ends");
    assert_eq!(polls.get(), 3);
}

pub fn a_task_is_polled_only_when_it_was_woken<S: Stage>() {
    let probe = Probe::default();
    S::new().block_on(async {
        S::spawn(probe.clone());
        for _ in 0..100 {
            yield_now().await;
        }
    });
    assert_eq!(probe.polls.get(), 1);
}

pub fn a_wake_after_the_end_does_nothing<S: Stage>() {
    let probe = Probe::default();
    S::new().block_on(async {
        S::spawn(probe.clone());
        yield_now().await;
        let kept = probe.waker();
        probe.done.set(true);
        kept.wake_by_ref();
        yield_now().await;
        assert_eq!(probe.polls.get(), 2);

        kept.wake_by_ref();
        kept.wake();
        probe.waker().wake();
        yield_now().await;
        assert_eq!(probe.polls.get(), 2);
    });
}

pub fn a_cloned_waker_wakes_when_the_first_is_gone<S: Stage>() {
    let probe = Probe::default();
    S::new().block_on(async {
        S::spawn(probe.clone());
        yield_now().await;
        let clone = probe.waker();
        probe.kept.take();
        clone.wake();
        yield_now().await;
        assert_eq!(probe.polls.get(), 2);
    });
}

pub fn a_finished_future_is_dropped_at_once<S: Stage>() {
    let probe = Probe::default();
    let held = Rc::new(());
    S::new().block_on(async {
        let (inside, inner) = (held.clone(), probe.clone());
        S::spawn(async move {
            let _inside = inside;
            inner.await;
        });
        yield_now().await;
        let kept = probe.waker();
        probe.done.set(true);
        kept.wake_by_ref();
        yield_now().await;
        assert_eq!(Rc::strong_count(&held), 1, "a waker is left, but the future is done");
    });
}

pub fn block_on_gives_the_output_of_a_future_that_borrows<S: Stage>() {
    let text = String::from("borrowed");
    let length = S::new().block_on(async {
        yield_now().await;
        text.len()
    });
    assert_eq!(length, 8);
}

pub fn the_main_future_is_woken_by_a_task<S: Stage>() {
    let received = S::new().block_on(async {
        let (mut sender, receiver) = mpsc::channel(0);
        S::spawn(async move {
            for number in 0..10 {
                sender.send(number).await.expect("the main future listens");
            }
        });
        receiver.collect::<Vec<_>>().await
    });
    assert_eq!(received, (0..10).collect::<Vec<_>>());
}

pub fn the_main_future_is_woken_by_itself<S: Stage>() {
    S::new().block_on(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
}

pub fn the_main_future_is_woken_by_another_thread<S: Stage>() {
    let stage = S::new();
    let recording = Recording::current();
    for number in 0..100 {
        let (sender, receiver) = oneshot::channel();
        let recording = recording.clone();
        let other = thread::spawn(move || {
            let _attached = recording.as_ref().map(Recording::attach);
            sender.send(number).expect("the main future waits");
        });
        assert_eq!(stage.block_on(receiver), Ok(number));
        other.join().expect("sending does not panic");
    }
}

pub fn the_main_future_is_polled_only_when_it_was_woken<S: Stage>() {
    let polls = Rc::new(Cell::new(0));
    let seen = polls.clone();
    S::new()
        .block_on(async {
            let (done, mut is_done) = oneshot::channel();
            S::spawn(async move {
                for _ in 0..100 {
                    yield_now().await;
                }
                done.send(()).expect("the main future waits");
            });
            poll_fn(|cx| {
                seen.set(seen.get() + 1);
                Pin::new(&mut is_done).poll(cx)
            })
            .await
        })
        .expect("the task ends");
    assert_eq!(polls.get(), 2);
}

pub fn what_the_main_future_spawns_before_it_waits_is_run<S: Stage>() {
    let mut slot: Option<oneshot::Receiver<()>> = None;
    let mut polls = 0;
    S::new()
        .block_on(poll_fn(|cx| {
            polls += 1;
            // Spawns in its second poll, too: right before the thread would go to sleep.
            if polls < 3 {
                let (sender, receiver) = oneshot::channel();
                S::spawn(async move {
                    let _ = sender.send(());
                });
                slot = Some(receiver);
            }
            let receiver = slot.as_mut().expect("set above");
            match Pin::new(receiver).poll(cx) {
                Poll::Ready(_) if polls < 3 => unreachable!("the task has not run yet"),
                other => other,
            }
        }))
        .expect("the task sends");
    assert_eq!(polls, 3);
}

pub fn unfinished_tasks_go_on_in_the_next_block_on<S: Stage>() {
    let stage = S::new();
    let (to_task, mut from_main) = mpsc::unbounded::<usize>();
    let (to_main, from_task) = mpsc::unbounded::<usize>();
    stage.block_on(async {
        S::spawn(async move {
            while let Some(number) = from_main.next().await {
                to_main.unbounded_send(number * 2).expect("the main future listens");
            }
        });
        yield_now().await;
    });
    to_task.unbounded_send(21).expect("the task listens");
    let answer = stage.block_on(from_task.into_future()).0;
    assert_eq!(answer, Some(42));
}

pub fn nothing_runs_between_two_block_ons<S: Stage>() {
    let stage = S::new();
    let probe = Probe::default();
    stage.block_on(async {
        S::spawn(probe.clone());
        yield_now().await;
    });
    probe.waker().wake();
    assert_eq!(probe.polls.get(), 1);
    stage.block_on(yield_now());
    assert_eq!(probe.polls.get(), 2);
}

pub fn dropping_the_executor_drops_the_futures_in_order<S: Stage>() {
    let log: Log<usize> = Log::default();
    let stage = S::new();
    stage.block_on(async {
        let probes = [(); 4].map(|()| Probe::default());
        for (number, probe) in probes.iter().cloned().enumerate() {
            let log = log.clone();
            S::spawn(async move {
                let _logs = OnDrop(|| log.borrow_mut().push(number));
                probe.await;
            });
        }
        yield_now().await;
        // One of them is queued when the executor goes, the others sleep.
        probes[1].waker().wake();
    });
    assert!(log.borrow().is_empty());
    drop(stage);
    assert_eq!(*log.borrow(), [0, 1, 2, 3]);
}

pub fn a_future_that_wakes_while_it_is_dropped_does_no_harm<S: Stage>() {
    let stage = S::new();
    let (early, late) = (Probe::default(), Probe::default());
    stage.block_on(async {
        S::spawn(early.clone());
        let (first, last) = (early.clone(), late.clone());
        S::spawn(async move {
            let _wakes = OnDrop(|| {
                first.waker().wake();
                last.waker().wake();
            });
            Probe::default().await;
        });
        S::spawn(late.clone());
        yield_now().await;
    });
    drop(stage);
    assert_eq!((early.polls.get(), late.polls.get()), (1, 1));
}

pub fn a_future_that_wakes_its_own_task_while_it_is_dropped_does_no_harm<S: Stage>() {
    let stage = S::new();
    let probe = Probe::default();
    stage.block_on(async {
        let inner = probe.clone();
        S::spawn(async move {
            let wakes = inner.clone();
            let _wakes = OnDrop(|| wakes.waker().wake());
            inner.await;
        });
        yield_now().await;
        probe.done.set(true);
        probe.waker().wake();
        yield_now().await;
        yield_now().await;
    });
    assert_eq!(probe.polls.get(), 2);
}

pub fn a_waker_outlives_the_executor<S: Stage>() {
    let stage = S::new();
    let (probe, main) = (Probe::default(), Probe::default());
    let held = Rc::new(());
    stage.block_on(async {
        let (inside, inner) = (held.clone(), probe.clone());
        S::spawn(async move {
            let _inside = inside;
            inner.await;
        });
        futures::future::select(main.clone(), Box::pin(yield_now())).await;
    });
    drop(stage);
    assert_eq!(Rc::strong_count(&held), 1, "the executor drops its futures");
    for kept in [probe.waker(), main.waker()] {
        kept.wake_by_ref();
        let clone = kept.clone();
        drop(kept);
        clone.wake();
    }
    assert_eq!(probe.polls.get(), 1);
}

pub fn a_panic_in_a_task_leaves_the_executor_usable<S: Stage>() {
    let stage = S::new();
    let held = Rc::new(());
    let inside = held.clone();
    let probe = Probe::default();
    // Up to chapter 9 the panic comes out of block_on; later stages keep it in the task.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        stage.block_on(async {
            S::spawn(probe.clone());
            S::spawn(async move {
                let _inside = inside;
                yield_now().await;
                panic!("as it should");
            });
            for _ in 0..3 {
                yield_now().await;
            }
        })
    }));
    assert_eq!(Rc::strong_count(&held), 1, "unwinding drops the future");

    probe.done.set(true);
    probe.waker().wake();
    stage.block_on(async {
        let (done, is_done) = oneshot::channel();
        S::spawn(async move { done.send(()).expect("the main future waits") });
        is_done.await.expect("the task sends");
    });
    assert_eq!(probe.polls.get(), 2, "the other tasks go on");
}

pub fn a_panic_in_the_main_future_leaves_the_executor_usable<S: Stage>() {
    let stage = S::new();
    let probe = Probe::default();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        stage.block_on(async {
            S::spawn(probe.clone());
            yield_now().await;
            panic!("as it should");
        })
    }));
    assert!(panic.is_err());
    probe.waker().wake();
    stage.block_on(yield_now());
    assert_eq!(probe.polls.get(), 2);
}

pub fn ten_thousand_tasks_finish<S: Stage>() {
    // Miri would take longer than the watchdog waits.
    let tasks = if cfg!(miri) { 30 } else { 10_000 };
    let finished = Rc::new(Cell::new(0));
    S::new().block_on(async {
        let (done, all_done) = mpsc::unbounded::<()>();
        for number in 0..tasks {
            let (finished, done) = (finished.clone(), done.clone());
            S::spawn(async move {
                for _ in 0..number % 7 {
                    yield_now().await;
                }
                finished.set(finished.get() + 1);
                drop(done);
            });
        }
        drop(done);
        all_done.collect::<Vec<()>>().await;
    });
    assert_eq!(finished.get(), tasks);
}

pub fn two_executors_run_on_two_threads<S: Stage>() {
    // One answer may be there before it is waited for. A hundred in a row are not.
    let last = if cfg!(miri) { 10 } else { 200 };
    let (to_second, mut from_first) = mpsc::unbounded::<usize>();
    let (to_first, mut from_second) = mpsc::unbounded::<usize>();
    let second = thread::spawn(move || {
        S::new().block_on(async {
            while let Some(number) = from_first.next().await {
                to_first.unbounded_send(number + 1).expect("the first thread waits");
            }
        });
    });
    let counted = S::new().block_on(async {
        let mut number = 0;
        while number < last {
            to_second.unbounded_send(number + 1).expect("the second thread waits");
            number = from_second.next().await.expect("the second thread answers");
        }
        drop(to_second);
        number
    });
    assert_eq!(counted, last);
    second.join().expect("the second executor ends");
}

pub fn spawn_outside_of_block_on_panics<S: Stage>() {
    let _not_running = S::new();
    assert!(catch_unwind(|| S::spawn(async {})).is_err());
}

pub fn block_on_inside_of_block_on_panics<S: Stage>() {
    let stage = S::new();
    let inner = stage.block_on(async {
        catch_unwind(AssertUnwindSafe(|| {
            S::new().block_on(async {});
        }))
    });
    assert!(inner.is_err());
    stage.block_on(yield_now());
}
