//! Ends that come from outside.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;

use ch09_fairness::yield_now;
use ch10_join_cancel::{AbortOnDrop, JoinHandle, spawn};
use common::{Dropped, OnDrop, no_task_is_left, on_wake, run, runtime, turns};
use conformance::{check_trace, watch};
use futures::channel::oneshot;

/// A task that waits for ever, and holds what it was given.
fn holding<T: 'static>(held: T) -> JoinHandle<()> {
    spawn(async move {
        let _held = held;
        pending().await
    })
}

/// The waker of the task that polls this.
async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

#[test]
fn an_idle_task_is_dropped_in_its_next_turn_on_its_own_thread() {
    run(async || {
        let log = Rc::new(RefCell::new(Vec::new()));
        let seen = log.clone();
        let handle = holding(OnDrop(move || {
            seen.borrow_mut().push(format!("dropped on {:?}", thread::current().id()));
        }));
        turns().await;
        handle.abort();
        assert!(log.borrow().is_empty(), "abort asks, and the executor drops");
        let seen = log.clone();
        // Spawned after the abort, and so it runs after it.
        drop(spawn(async move { seen.borrow_mut().push("the next task".into()) }));
        turns().await;
        let dropped = format!("dropped on {:?}", thread::current().id());
        assert_eq!(*log.borrow(), [dropped, "the next task".into()]);
        assert!(handle.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_was_never_polled_is_dropped_without_a_poll() {
    run(async || {
        let dropped = Dropped::default();
        let token = dropped.token();
        let handle = spawn(async move {
            let _token = token;
            panic!("polled");
        });
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn a_task_that_was_woken_already_is_dropped_without_another_poll() {
    run(async || {
        let (send, receive) = oneshot::channel::<()>();
        let handle = spawn(async {
            receive.await.unwrap();
            panic!("polled");
        });
        turns().await;
        send.send(()).unwrap();
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
}

/// Runs a task that can reach its own handle.
fn with_own_handle<T, F>(
    body: impl FnOnce(Rc<RefCell<Option<JoinHandle<T>>>>) -> F + 'static,
) -> Rc<RefCell<Option<JoinHandle<T>>>>
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    let handle = Rc::new(RefCell::new(None));
    *handle.borrow_mut() = Some(spawn(body(handle.clone())));
    handle
}

fn abort<T>(handle: &RefCell<Option<JoinHandle<T>>>) {
    handle.borrow().as_ref().expect("the handle is there").abort();
}

#[test]
fn a_task_that_aborts_itself_ends_at_its_next_await() {
    for polls_before in [0, 1, 5] {
        run(async move || {
            let (dropped, steps) = (Dropped::default(), Rc::new(Cell::new(0)));
            let (token, seen) = (dropped.token(), steps.clone());
            let handle = with_own_handle(async move |own| {
                let _token = token;
                for _ in 0..polls_before {
                    yield_now().await;
                }
                abort(&own);
                seen.set(1);
                pending::<()>().await;
                seen.set(2);
            });
            for _ in 0..10 {
                yield_now().await;
            }
            assert_eq!((steps.get(), dropped.times()), (1, 1));
            let handle = handle.take().unwrap();
            assert!(handle.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_task_that_aborts_itself_and_has_its_output_in_the_same_poll_keeps_it() {
    run(async || {
        let handle = with_own_handle(async |own| {
            abort(&own);
            7
        });
        turns().await;
        let handle = handle.take().unwrap();
        assert_eq!(handle.await.unwrap(), 7);
    });
}

#[test]
fn the_abort_of_a_task_that_has_ended_changes_nothing() {
    run(async || {
        let handle = spawn(ready(7));
        turns().await;
        handle.abort();
        handle.abort();
        turns().await;
        assert_eq!(handle.await.unwrap(), 7);
    });
}

#[test]
fn a_second_abort_changes_nothing() {
    run(async || {
        let dropped = Dropped::default();
        let handle = holding(dropped.token());
        turns().await;
        handle.abort();
        handle.abort();
        turns().await;
        handle.abort();
        assert!(handle.await.unwrap_err().is_cancelled());
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn a_waker_may_abort_another_task_and_its_own() {
    run(async || {
        let victim = Rc::new(holding(()));
        let wakes = Rc::new(Cell::new(0));
        let mut first = spawn(yield_now());
        let waker = on_wake({
            let (victim, wakes) = (victim.clone(), wakes.clone());
            move || {
                victim.abort();
                wakes.set(wakes.get() + 1);
            }
        });
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(std::pin::Pin::new(&mut first).poll(&mut cx).is_pending());
        turns().await;
        assert_eq!(wakes.get(), 1);
        assert!(victim.is_finished());
        assert!(first.is_finished());
    });
}

#[test]
fn a_future_may_abort_another_task_while_it_is_dropped() {
    run(async || {
        let dropped = Dropped::default();
        let second = holding(dropped.token());
        let first = holding(OnDrop(move || second.abort()));
        turns().await;
        first.abort();
        turns().await;
        assert_eq!(dropped.times(), 1);
    });
}

#[test]
fn a_future_may_abort_its_own_task_while_it_is_dropped() {
    run(async || {
        let handle = with_own_handle(async move |own| {
            let _aborts = OnDrop(move || abort(&own));
            7
        });
        turns().await;
        let handle = handle.take().unwrap();
        assert_eq!(handle.await.unwrap(), 7);
    });
}

#[test]
fn tasks_that_go_with_their_executor_are_cancelled() {
    watch(|| {
        let dropped = Dropped::default();
        let (idle, queued) = {
            let runtime = runtime();
            runtime.block_on(async {
                let idle = holding(dropped.token());
                turns().await;
                (idle, holding(dropped.token()))
            })
        };
        assert_eq!(dropped.times(), 2);
        assert!(idle.is_finished() && queued.is_finished());
        idle.abort();
        runtime().block_on(async {
            assert!(idle.await.unwrap_err().is_cancelled());
            assert!(queued.await.unwrap_err().is_cancelled());
        });
        check_trace();
        no_task_is_left();
    });
}

#[test]
fn a_future_may_abort_any_task_while_the_executor_is_dropped() {
    watch(|| {
        let dropped = Dropped::default();
        let runtime = runtime();
        let (gone, _aborts, left) = runtime.block_on(async {
            // Dropped in the order of their spawning.
            let gone = Rc::new(holding(()));
            let last = Rc::new(RefCell::new(None::<Rc<JoinHandle<()>>>));
            let others = (gone.clone(), last.clone());
            let aborts = holding(OnDrop(move || {
                others.0.abort();
                others.1.take().expect("set below").abort();
            }));
            let left = Rc::new(holding(dropped.token()));
            *last.borrow_mut() = Some(left.clone());
            turns().await;
            (gone, aborts, left)
        });
        drop(runtime);
        assert!(gone.is_finished() && left.is_finished());
        assert_eq!(dropped.times(), 1);
        check_trace();
        no_task_is_left();
    });
}

#[test]
fn a_waiter_in_another_executor_hears_of_the_end() {
    watch(|| {
        let inner = runtime();
        let mut handle = None;
        inner.block_on(async { handle = Some(holding(())) });
        let handle = handle.expect("block_on has run it");
        let outcome = runtime().block_on(async {
            let waits = spawn(handle);
            turns().await;
            // Ends the task from inside the other executor.
            drop(inner);
            waits.await.unwrap()
        });
        assert!(outcome.unwrap_err().is_cancelled());
    });
}

#[test]
fn the_waker_of_an_aborted_task_does_nothing() {
    run(async || {
        let (give, take) = oneshot::channel();
        let handle = spawn(async {
            give.send(own_waker().await).unwrap();
            pending::<()>().await;
        });
        let waker = take.await.unwrap();
        handle.abort();
        turns().await;
        waker.wake_by_ref();
        turns().await;
        waker.wake();
        assert!(handle.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_child_of_an_aborted_task_goes_on() {
    run(async || {
        let (send, receive) = oneshot::channel();
        let parent = spawn(async move {
            let child = spawn(async move {
                turns().await;
                send.send("done").unwrap();
            });
            child.await.unwrap();
            panic!("the parent is aborted before its child ends");
        });
        yield_now().await;
        parent.abort();
        assert!(parent.await.unwrap_err().is_cancelled());
        assert_eq!(receive.await, Ok("done"));
    });
}

#[test]
fn a_child_behind_abort_on_drop_ends_with_its_parent() {
    run(async || {
        let dropped = Dropped::default();
        let token = dropped.token();
        let parent = spawn(async move {
            let grandchild = AbortOnDrop(holding(token));
            let child = AbortOnDrop(spawn(async move {
                let _ = grandchild.await;
            }));
            let _ = child.await;
        });
        turns().await;
        parent.abort();
        turns().await;
        assert_eq!(dropped.times(), 1);
        assert!(parent.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn abort_on_drop_gives_the_output_of_a_task_that_ends_by_itself() {
    run(async || {
        let task = AbortOnDrop(spawn(async {
            yield_now().await;
            7
        }));
        assert_eq!(format!("{task:?}"), "AbortOnDrop(JoinHandle { is_finished: false })");
        assert_eq!(task.await.unwrap(), 7);
    });
}

#[test]
fn abort_on_drop_may_be_dropped_when_the_executor_is_gone() {
    watch(|| {
        let runtime = runtime();
        let mut task = None;
        runtime.block_on(async { task = Some(AbortOnDrop(holding(()))) });
        drop(runtime);
        drop(task);
        no_task_is_left();
    });
}

#[test]
fn spawn_outside_of_block_on_drops_the_future_and_says_why() {
    watch(|| {
        let dropped = Dropped::default();
        let token = dropped.token();
        let spawned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| holding(token)));
        let payload = spawned.expect_err("no executor runs");
        let text = payload.downcast_ref::<&str>().expect("it says why");
        assert!(text.starts_with("spawn was called outside of block_on"), "{text}");
        assert_eq!(dropped.times(), 1);
    });
}
