//! The reference count after each of the waker's four functions.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

use ch04_waker::{Schedule, Task, TaskQueue, waker};
use conformance::watch;

/// A queue, a task on it that never ends, and a flag that says whether its future was dropped.
fn sleeper() -> (Rc<TaskQueue>, Rc<Task>, Rc<Cell<bool>>) {
    struct SetOnDrop(Rc<Cell<bool>>);
    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }

    let queue = Rc::new(TaskQueue::default());
    let dropped = Rc::new(Cell::new(false));
    let flag = SetOnDrop(dropped.clone());
    let future = async move {
        let _flag = flag;
        pending::<()>().await;
    };
    let schedule = Rc::downgrade(&queue);
    let task = Task::new(1, Box::pin(future).into(), schedule);
    (queue, task, dropped)
}

/// Compares what the task counts with what there is.
fn counts_are(task: &Rc<Task>, references: usize, wakers: usize) {
    let counted = (Rc::strong_count(task), task.wakers());
    if counted != (references, wakers) {
        // A count that is too low frees what is still held. Spare references let this test end in
        // one piece, and say what is wrong.
        (0..8).for_each(|_| mem::forget(task.clone()));
        panic!(
            "The task counts {} references, {} of them wakers. There are {references}, {wakers} of them wakers.",
            counted.0, counted.1
        );
    }
}

#[test]
fn a_waker_is_two_words_and_the_first_points_at_the_task() {
    let (_queue, task, _) = sleeper();
    let one = waker(task.clone());
    assert_eq!(size_of::<Waker>(), 2 * size_of::<usize>());
    assert_eq!(one.data(), Rc::as_ptr(&task).cast());
}

#[test]
fn making_a_waker_takes_over_the_reference_it_is_given() {
    let (_queue, task, _) = sleeper();
    let one = waker(task.clone());
    counts_are(&task, 2, 1);
    drop(one);
    counts_are(&task, 1, 0);
}

#[test]
fn clone_adds_one() {
    let (_queue, task, _) = sleeper();
    let one = waker(task.clone());
    let two = one.clone();
    counts_are(&task, 3, 2);
    drop(one);
    drop(two);
    counts_are(&task, 1, 0);
}

#[test]
fn wake_moves_its_reference_into_the_queue() {
    let (queue, task, _) = sleeper();
    let one = waker(task.clone());
    one.wake();
    counts_are(&task, 2, 0);
    assert!(Rc::ptr_eq(&queue.pop().unwrap(), &task));
    assert_eq!(Rc::strong_count(&task), 1);
}

#[test]
fn wake_by_ref_leaves_the_waker_its_reference() {
    let (queue, task, _) = sleeper();
    let one = waker(task.clone());
    one.wake_by_ref();
    counts_are(&task, 3, 1);
    assert_eq!(queue.len(), 1);
    one.wake_by_ref();
    counts_are(&task, 4, 1);
    assert_eq!(queue.len(), 2);
}

#[test]
fn the_last_waker_to_go_frees_the_task() {
    let (_queue, task, dropped) = sleeper();
    let one = waker(task);
    let two = one.clone();
    drop(one);
    assert!(!dropped.get());
    drop(two);
    assert!(dropped.get());
}

#[test]
fn a_poll_leaves_no_reference_behind() {
    let (_queue, task, _) = sleeper();
    assert!(task.poll().is_pending());
    counts_are(&task, 1, 0);
}

#[test]
fn from_its_first_wait_in_the_queue_to_its_end_a_task_is_held_by_those_who_need_it() {
    let queue = Rc::new(TaskQueue::default());
    let slot: Rc<Cell<Option<Waker>>> = Rc::default();
    let itself = Rc::new(RefCell::new(Weak::<Task>::new()));

    let (keep, inside) = (slot.clone(), itself.clone());
    let future = async move {
        let count = || inside.borrow().strong_count();
        assert_eq!(count(), 2, "the loop and the waker of this poll");
        let mut first = true;
        poll_fn(|cx| {
            if !mem::take(&mut first) {
                return Poll::Ready(());
            }
            keep.set(Some(cx.waker().clone()));
            assert_eq!(count(), 3, "and the waker that we keep");
            Poll::Pending
        })
        .await;
        assert_eq!(count(), 2, "the loop and the waker of this poll");
    };
    let schedule = Rc::downgrade(&queue);
    let task = Task::new(1, Box::pin(future).into(), schedule);
    itself.replace(Rc::downgrade(&task));
    let count = || itself.borrow().strong_count();

    queue.push(task);
    assert_eq!(count(), 1, "the queue");
    assert_eq!(queue.run(), 1);
    assert_eq!(count(), 1, "the waker that was kept");
    slot.take().unwrap().wake();
    assert_eq!(count(), 1, "the queue");
    let task = queue.pop().unwrap();
    assert_eq!(count(), 1, "the loop");
    assert!(task.poll().is_ready());
    drop(task);
    assert_eq!(count(), 0);
}

#[test]
fn wakers_of_one_task_are_equal_and_of_two_are_not() {
    let (_queue, task, _) = sleeper();
    let (_other_queue, other, _) = sleeper();
    let one = waker(task.clone());
    assert!(one.will_wake(&one.clone()));
    assert!(one.will_wake(&waker(task)));
    assert!(!one.will_wake(&waker(other)));
    assert!(!one.will_wake(Waker::noop()));
}

#[test]
fn a_wake_after_the_scheduler_has_gone_does_nothing() {
    let (queue, task, dropped) = sleeper();
    let one = waker(task);
    drop(queue);
    one.wake_by_ref();
    assert!(!dropped.get());
    one.wake();
    assert!(dropped.get());
}

#[test]
fn the_count_is_right_after_a_scheduler_has_panicked_in_a_wake() {
    struct Refuses;
    impl Schedule for Refuses {
        fn schedule(&self, _task: Rc<Task>) {
            panic!("as it should")
        }
    }

    let refuses = Rc::new(Refuses);
    let schedule = Rc::downgrade(&refuses);
    let task = Task::new(1, Box::pin(pending()).into(), schedule);
    let one = waker(task.clone());
    assert!(catch_unwind(AssertUnwindSafe(|| one.wake_by_ref())).is_err());
    counts_are(&task, 2, 1);
    assert!(catch_unwind(AssertUnwindSafe(|| one.wake())).is_err());
    counts_are(&task, 1, 0);
}

#[test]
fn a_waker_in_a_slot_that_its_own_future_holds_is_a_circle_until_it_is_cut() {
    watch(|| {
        let queue = Rc::new(TaskQueue::default());
        let slot: Rc<Cell<Option<Waker>>> = Rc::default();
        let kept = slot.clone();
        let future = async move {
            poll_fn(|cx| {
                kept.set(Some(cx.waker().clone()));
                Poll::<()>::Pending
            })
            .await;
        };
        let schedule = Rc::downgrade(&queue);
        let task = Task::new(1, Box::pin(future).into(), schedule);
        assert!(task.poll().is_pending());
        drop(task);

        // The slot keeps the waker, the waker the task, the task the slot: a circle, until it is cut.
        let kept = slot.take().unwrap();
        assert_eq!(Rc::strong_count(&slot), 2);
        drop(kept);
        assert_eq!(Rc::strong_count(&slot), 1);
    });
}
