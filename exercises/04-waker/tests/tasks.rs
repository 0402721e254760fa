//! What a task and the queue do with a future.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};

use ch04_waker::{Task, TaskQueue};
use conformance::{watch, yield_now};
use trace::{Cause, Event, PollResult, Recording, invariants};

fn task(queue: &Rc<TaskQueue>, id: u64, future: impl Future<Output = ()> + 'static) -> Rc<Task> {
    let schedule = Rc::downgrade(queue);
    Task::new(id, Box::pin(future).into(), schedule)
}

#[test]
fn making_a_task_does_not_poll_it() {
    let queue = Rc::new(TaskQueue::default());
    let polled = Rc::new(Cell::new(false));
    let seen = polled.clone();
    let task = task(&queue, 1, async move { seen.set(true) });
    assert!(!polled.get());
    assert!(task.poll().is_ready());
    assert!(polled.get());
}

#[test]
fn tasks_that_yield_take_turns() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let log = Rc::new(RefCell::new(String::new()));
        for name in ['a', 'b'] {
            let log = log.clone();
            queue.push(task(&queue, name as u64, async move {
                for _ in 0..3 {
                    log.borrow_mut().push(name);
                    yield_now().await;
                }
            }));
        }
        assert_eq!(queue.run(), 8);
        assert_eq!(*log.borrow(), "ababab");
    });
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        queue.push(task(&queue, 1, yield_now()));
        assert_eq!(queue.run(), 2);
    });
}

#[test]
fn two_wakes_then_ready_polls_once_more_and_no_further() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let polls = Rc::new(Cell::new(0));
        let seen = polls.clone();
        let task = task(&queue, 1, async move {
            let mut first = true;
            poll_fn(|cx| {
                seen.set(seen.get() + 1);
                if !std::mem::take(&mut first) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await
        });
        queue.push(task);
        assert_eq!(queue.run(), 3);
        assert_eq!(polls.get(), 2);
        invariants::done_is_never_polled(&Recording::current().unwrap().records()).unwrap();
    });
}

#[test]
fn a_task_that_nobody_can_wake_is_freed_with_its_future() {
    let queue = Rc::new(TaskQueue::default());
    let held = Rc::new(());
    let inside = held.clone();
    queue.push(task(&queue, 1, async move {
        let _inside = inside;
        pending::<()>().await;
    }));
    assert_eq!(Rc::strong_count(&held), 2);
    queue.run();
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_finished_future_is_dropped_at_once_although_wakers_are_left() {
    let queue = Rc::new(TaskQueue::default());
    let held = Rc::new(());
    let inside = held.clone();
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let keep = kept.clone();
    queue.push(task(&queue, 1, async move {
        poll_fn(|cx| {
            keep.borrow_mut().push(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
        drop(inside);
    }));
    queue.run();
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!(Rc::strong_count(&kept), 1);

    for waker in kept.take() {
        waker.wake();
    }
    assert_eq!(queue.run(), 1);
}

#[test]
fn a_cancelled_task_drops_its_future_and_is_over() {
    let queue = Rc::new(TaskQueue::default());
    let held = Rc::new(());
    let inside = held.clone();
    let task = task(&queue, 1, async move {
        let _inside = inside;
        pending::<()>().await;
    });
    assert!(task.poll().is_pending());
    task.cancel();
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(task.poll().is_ready());
    task.cancel();
}

#[test]
fn a_panic_ends_the_task_and_leaves_the_rest_in_the_queue() {
    let queue = Rc::new(TaskQueue::default());
    let held = Rc::new(());
    let inside = held.clone();
    let bad = task(&queue, 1, async move {
        let _inside = inside;
        panic!("as it should")
    });
    let ran = Rc::new(Cell::new(false));
    let seen = ran.clone();
    queue.push(bad.clone());
    queue.push(task(&queue, 2, async move { seen.set(true) }));

    assert!(catch_unwind(AssertUnwindSafe(|| queue.run())).is_err());
    assert_eq!(Rc::strong_count(&held), 1);
    assert_eq!((Rc::strong_count(&bad), bad.wakers()), (1, 0));
    assert!(bad.poll().is_ready());

    assert_eq!(queue.run(), 1);
    assert!(ran.get());
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn the_life_of_a_task_that_yields_once_is_recorded() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        queue.push(task(&queue, 1, yield_now()));
        queue.run();
        let (task, wakers) = (1, 0);
        let (pending, ready) = (PollResult::Pending, PollResult::Ready);
        let end = |result| Event::PollEnd { task, result, wakers };
        let life = [
            Event::Spawn { task },
            Event::Enqueue { task },
            Event::PollStart { task },
            Event::WakerClone { task },
            Event::Wake { task, by: Cause::Task(1) },
            Event::Enqueue { task },
            Event::WakerDrop { task },
            end(pending),
            Event::PollStart { task },
            Event::WakerClone { task },
            Event::WakerDrop { task },
            end(ready),
            Event::TaskDrop { task },
        ];
        assert_eq!(Recording::current().unwrap().events(), life);
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn a_task_that_is_freed_unfinished_is_recorded_as_dropped() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        drop(task(&queue, 1, pending()));
        let life = [Event::Spawn { task: 1 }, Event::TaskDrop { task: 1 }];
        assert_eq!(Recording::current().unwrap().events(), life);
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn a_future_is_recorded_as_dropped_right_after_its_last_poll() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let done = task(&queue, 1, async {});
        assert!(done.poll().is_ready());
        let recording = Recording::current().unwrap();
        assert_eq!(recording.events().last(), Some(&Event::TaskDrop { task: 1 }));
        assert!(done.poll().is_ready());
        drop(done);
        let drops = recording.events().into_iter().filter(|e| *e == Event::TaskDrop { task: 1 });
        assert_eq!(drops.count(), 1);
    });
}

#[test]
#[cfg_attr(not(debug_assertions), ignore = "a release build records nothing")]
fn a_panic_is_recorded_as_the_end_of_its_poll() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let bad = task(&queue, 1, async { panic!("as it should") });
        assert!(catch_unwind(AssertUnwindSafe(|| bad.poll())).is_err());
        let recording = Recording::current().unwrap();
        let (task, result, wakers) = (1, PollResult::Panicked, 0);
        let end = Event::PollEnd { task, result, wakers };
        assert_eq!(recording.events().last(), Some(&end));
    });
}

#[test]
fn a_task_does_not_poll_or_cancel_itself_while_it_is_polled() {
    let queue = Rc::new(TaskQueue::default());
    let itself: Rc<RefCell<Option<Rc<Task>>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let (inside, seen) = (itself.clone(), polls.clone());
    let task = task(&queue, 1, async move {
        poll_fn(|_| {
            seen.set(seen.get() + 1);
            if let Some(task) = &*inside.borrow() {
                assert!(task.poll().is_ready());
                task.cancel();
            }
            Poll::<()>::Pending
        })
        .await
    });
    itself.replace(Some(task.clone()));
    assert!(task.poll().is_pending());
    assert!(task.poll().is_pending());
    assert_eq!(polls.get(), 2);
    itself.take();
}

/// A task that is polled a second time when the waker is woken, which it leaves in the slot.
fn waits_in(queue: &Rc<TaskQueue>, slot: &Rc<Cell<Option<Waker>>>) -> (Rc<Task>, Rc<Cell<u32>>) {
    let polls = Rc::new(Cell::new(0));
    let (slot, seen) = (slot.clone(), polls.clone());
    let task = task(queue, 1, async move {
        poll_fn(|cx| {
            seen.set(seen.get() + 1);
            slot.set(Some(cx.waker().clone()));
            Poll::<()>::Pending
        })
        .await
    });
    (task, polls)
}

struct WakeOnDrop(Option<Waker>);

impl Drop for WakeOnDrop {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

#[test]
fn the_drop_of_a_future_may_wake_another_task() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let slot = Rc::default();
        let (waits, polls) = waits_in(&queue, &slot);
        queue.push(waits);
        queue.run();

        let wakes = WakeOnDrop(slot.take());
        queue.push(task(&queue, 2, async move {
            let _wakes = wakes;
            pending::<()>().await;
        }));
        assert_eq!(queue.run(), 2);
        assert_eq!(polls.get(), 2);
        slot.take();
    });
}

#[test]
fn the_drop_of_a_queue_may_wake_its_own_tasks() {
    let queue = Rc::new(TaskQueue::default());
    let slot = Rc::default();
    let (waits, polls) = waits_in(&queue, &slot);
    queue.push(waits);
    queue.run();

    let wakes = WakeOnDrop(slot.take());
    queue.push(task(&queue, 2, async move { drop(wakes) }));
    drop(queue);
    assert_eq!(polls.get(), 1);
    assert_eq!(Rc::strong_count(&slot), 1);
}

#[test]
fn an_unfinished_task_in_a_dropped_queue_is_freed() {
    let queue = Rc::new(TaskQueue::default());
    let held = Rc::new(());
    let inside = held.clone();
    queue.push(task(&queue, 1, async move { drop(inside) }));
    drop(queue);
    assert_eq!(Rc::strong_count(&held), 1);
}
