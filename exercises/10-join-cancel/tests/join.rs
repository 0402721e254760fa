//! A task and its handle: who gets the output, and when.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ch09_fairness::yield_now;
use ch10_join_cancel::{JoinHandle, spawn};
use common::{Dropped, on_wake, on_waker_drop, run, runtime, turns};
use conformance::watch;
use futures::channel::oneshot;
use futures::future::{Either, select};
use trace::{Event, Recording};

fn poll_once<T>(
    handle: &mut JoinHandle<T>,
    waker: &Waker,
) -> Poll<Result<T, ch10_join_cancel::JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

#[test]
fn the_output_of_a_task_comes_to_who_awaits_its_handle() {
    run(async || {
        assert_eq!(spawn(async { 7 }).await.unwrap(), 7);
        let waits = spawn(async {
            turns().await;
            String::from("later")
        });
        assert_eq!(waits.await.unwrap(), "later");
    });
}

#[test]
fn an_output_that_is_there_already_is_not_waited_for() {
    run(async || {
        let mut handle = spawn(ready(7));
        assert!(!handle.is_finished());
        turns().await;
        assert!(handle.is_finished());
        assert!(matches!(poll_once(&mut handle, Waker::noop()), Poll::Ready(Ok(7))));
    });
}

#[test]
fn tasks_join_tasks() {
    run(async || {
        let mut last = spawn(ready(0));
        for _ in 0..100 {
            let before = last;
            last = spawn(async { before.await.unwrap() + 1 });
        }
        assert_eq!(last.await.unwrap(), 100);
    });
}

#[test]
fn a_task_runs_also_if_nobody_awaits_its_handle() {
    run(async || {
        let ran = Rc::new(Cell::new(false));
        let seen = ran.clone();
        let _handle = spawn(async move { seen.set(true) });
        turns().await;
        assert!(ran.get());
    });
}

#[test]
fn a_handle_that_is_awaited_by_reference_and_loses_a_select_loses_nothing() {
    run(async || {
        let (send, receive) = oneshot::channel();
        let mut handle = spawn(receive);
        for _ in 0..10 {
            match select(&mut handle, Box::pin(yield_now())).await {
                Either::Left(_) => panic!("nothing was sent"),
                Either::Right(_) => {}
            }
        }
        send.send(7).unwrap();
        assert_eq!(handle.await.unwrap(), Ok(7));
    });
}

#[test]
fn a_task_goes_on_when_its_handle_is_dropped() {
    run(async || {
        let steps = Rc::new(Cell::new(0));
        let seen = steps.clone();
        let handle = spawn(async move {
            for _ in 0..3 {
                seen.set(seen.get() + 1);
                yield_now().await;
            }
        });
        yield_now().await;
        drop(handle);
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(steps.get(), 3);
    });
}

#[test]
fn an_output_for_which_nobody_is_left_is_dropped_at_the_end_of_the_task() {
    run(async || {
        let dropped = Dropped::default();
        let (send, receive) = oneshot::channel();
        let token = dropped.token();
        drop(spawn(async move {
            receive.await.unwrap();
            token
        }));
        turns().await;
        assert_eq!(dropped.times(), 0);
        send.send(()).unwrap();
        turns().await;
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn an_output_that_is_not_taken_is_dropped_with_the_handle() {
    run(async || {
        let dropped = Dropped::default();
        let handle = spawn(ready(dropped.token()));
        turns().await;
        assert_eq!(dropped.times(), 0);
        drop(handle);
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn an_output_that_is_taken_is_dropped_once() {
    run(async || {
        let dropped = Dropped::default();
        let token = spawn(ready(dropped.token())).await.unwrap();
        assert_eq!(dropped.times(), 0);
        drop(token);
        turns().await;
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn the_future_is_dropped_before_the_joiner_is_woken() {
    run(async || {
        let dropped = Dropped::default();
        let token = dropped.token();
        spawn(async move {
            let _token = token;
            yield_now().await;
        })
        .await
        .unwrap();
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn a_handle_that_moves_to_another_task_wakes_that_one_alone() {
    run(async || {
        let (send, receive) = oneshot::channel();
        let handle = Rc::new(RefCell::new(spawn(receive)));
        let polls: [Rc<Cell<u32>>; 2] = Default::default();
        // The first polls the handle, and after that the second does.
        let waiters = polls.clone().map(|polls| {
            let handle = handle.clone();
            spawn(poll_fn(move |cx| {
                polls.set(polls.get() + 1);
                Pin::new(&mut *handle.borrow_mut()).poll(cx)
            }))
        });
        turns().await;
        send.send(7).unwrap();
        let [first, second] = waiters;
        assert_eq!(second.await.unwrap().unwrap(), Ok(7));
        turns().await;
        assert_eq!(polls.each_ref().map(|polls| polls.get()), [1, 2]);
        assert!(!first.is_finished());
    });
}

#[test]
fn a_handle_keeps_one_waker_and_none_when_it_is_gone() {
    run(async || {
        let dropped = Dropped::default();
        let waker = || {
            let token = RefCell::new(Some(dropped.token()));
            on_waker_drop(move || drop(token.take()))
        };
        let mut handle = spawn(pending::<()>());
        for polled in 0..3 {
            assert!(poll_once(&mut handle, &waker()).is_pending());
            assert_eq!(dropped.times(), polled, "all wakers but the last");
        }
        drop(handle);
        assert_eq!(dropped.times(), 3);
    });
}

#[test]
#[should_panic(expected = "a JoinHandle was polled after it was ready")]
fn a_handle_that_is_polled_after_it_was_ready_panics() {
    run(async || {
        let mut handle = spawn(ready(7));
        assert_eq!((&mut handle).await.unwrap(), 7);
        let _ = handle.await;
    });
}

#[test]
fn a_waker_may_take_the_output_while_it_is_woken() {
    run(async || {
        let taken = Rc::new(Cell::new(None));
        let handle = Rc::new(RefCell::new(spawn(async {
            yield_now().await;
            7
        })));
        let waker = on_wake({
            let (taken, handle) = (taken.clone(), handle.clone());
            move || match poll_once(&mut handle.borrow_mut(), Waker::noop()) {
                Poll::Ready(output) => taken.set(Some(output.unwrap())),
                Poll::Pending => panic!("woken too early"),
            }
        });
        assert!(poll_once(&mut handle.borrow_mut(), &waker).is_pending());
        turns().await;
        assert_eq!(taken.get(), Some(7));
    });
}

#[test]
fn a_waker_may_drop_the_handle_while_it_is_woken() {
    run(async || {
        let dropped = Dropped::default();
        let token = dropped.token();
        let handle = Rc::new(RefCell::new(Some(spawn(async {
            yield_now().await;
            token
        }))));
        let waker = on_wake({
            let handle = handle.clone();
            move || drop(handle.take())
        });
        assert!(poll_once(handle.borrow_mut().as_mut().unwrap(), &waker).is_pending());
        turns().await;
        assert!(handle.borrow().is_none());
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn a_waker_may_look_at_the_handle_while_it_is_dropped() {
    run(async || {
        let looked = Rc::new(Cell::new(0));
        let handle = Rc::new(RefCell::new(Some(spawn(pending::<()>()))));
        let waker = || {
            let (looked, handle) = (looked.clone(), handle.clone());
            on_waker_drop(move || {
                // The handle is borrowed by whoever polls it, but not the task's own cells.
                if let Ok(handle) = handle.try_borrow()
                    && let Some(handle) = &*handle
                {
                    assert!(!handle.is_finished());
                    handle.abort();
                }
                looked.set(looked.get() + 1);
            })
        };
        let mut out = handle.take().unwrap();
        assert!(poll_once(&mut out, &waker()).is_pending());
        assert!(poll_once(&mut out, &waker()).is_pending());
        *handle.borrow_mut() = Some(out);
        assert_eq!(looked.get(), 1);
        handle.borrow().as_ref().unwrap().abort();
        drop(handle.take());
        turns().await;
        assert_eq!(looked.get(), 2);
    });
}

#[test]
fn a_handle_can_be_awaited_in_a_later_block_on() {
    watch(|| {
        let runtime = runtime();
        let mut handle = None;
        runtime.block_on(async {
            handle = Some(spawn(async {
                yield_now().await;
                7
            }));
        });
        let handle = handle.expect("block_on has run it");
        assert_eq!(runtime.block_on(handle).unwrap(), 7);
    });
}

#[test]
fn a_handle_says_whether_its_task_has_ended() {
    run(async || {
        let handle = spawn(ready(7));
        assert_eq!(format!("{handle:?}"), "JoinHandle { is_finished: false }");
        turns().await;
        assert_eq!(format!("{handle:?}"), "JoinHandle { is_finished: true }");
    });
}

#[test]
fn a_hang_of_a_task_without_a_handle_is_still_explained() {
    watch(|| {
        runtime().block_on(async {
            drop(spawn(pending::<()>()));
            let late = spawn(pending::<()>());
            turns().await;
            drop(late);
        });
        // The wakers that the two tasks could have been aborted by are nobody's any more.
        let recording = Recording::current().expect("the test is watched");
        let records = recording.records();
        let gone = |record: &trace::Record| matches!(record.event, Event::TaskDrop { .. });
        let end = records.iter().position(gone).expect("the executor has dropped the tasks");
        let hang = trace::explain(&records[..end], recording.elapsed());
        assert_eq!(hang.matches("Nobody holds its waker, so nothing can wake it.").count(), 2);
    });
}
