//! A vtable whose `wake` forgets to give up the reference that it was called with.
//!
//! Predict: we make a waker, call `wake`, let the queue poll the task, and let go of the task. How
//! many references are left then, and was the future dropped?
//!
//! - `cargo run -p ch04-waker --example wrong_counts_leak`: one reference that nobody holds.
//! - `cargo run -p ch04-waker --example wrong_counts_leak -- mended`: none, with chapter 4's waker.

use std::cell::Cell;
use std::error::Error;
use std::future::pending;
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use ch04_waker::{Task, TaskQueue, waker};
use conformance::demo::{self, Version};

fn main() -> ExitCode {
    demo::run(body)
}

fn body(version: Version) -> Result<(), Box<dyn Error>> {
    let queue = Rc::new(TaskQueue::default());
    let dropped = Rc::new(Cell::new(false));
    let flag = SetOnDrop(dropped.clone());
    let future = async move {
        let _flag = flag;
        pending::<()>().await;
    };
    let schedule = Rc::downgrade(&queue);
    let task = Task::new(1, Box::pin(future).into(), schedule);
    say("We have made a task.", Rc::strong_count(&task));

    let waker = match version {
        Version::Failing => leaky_waker(task.clone()),
        Version::Mended => waker(task.clone()),
    };
    say("We have made a waker of it.", Rc::strong_count(&task));
    waker.wake();
    say("We have called wake.", Rc::strong_count(&task));
    queue.run();
    say("The queue has polled the task.", Rc::strong_count(&task));
    let weak = Rc::downgrade(&task);
    drop(task);
    say("We have let go of the task.", weak.strong_count());

    if dropped.get() {
        println!("The future has been dropped: nothing is left.");
        return Ok(());
    }
    Err("The future was not dropped, and never will be.\n\
         Nobody holds the task any more, but its count does not say so: this is a leak."
        .into())
}

fn say(what: &str, count: usize) {
    println!("{what:<32} Its count is {count}.");
}

struct SetOnDrop(Rc<Cell<bool>>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// A waker that keeps its books as it should, but for one function.
fn leaky_waker(task: Rc<Task>) -> Waker {
    // SAFETY: the pointer stands for the reference that the waker takes over, and no function of
    // the table gives up more than that. This demo has one thread.
    unsafe { Waker::new(Rc::into_raw(task).cast(), &LEAKY) }
}

static LEAKY: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

// ANCHOR: wake
unsafe fn wake(data: *const ()) {
    // The fault: this is all that `wake_by_ref` owes. But `wake` was given the waker, and has to
    // give up its reference, too.
    // SAFETY: the caller holds a waker, whose reference keeps the task alive.
    unsafe { wake_by_ref(data) };
}
// ANCHOR_END: wake

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the pointer came from `Rc::into_raw`, and the caller holds a waker, whose reference
    // keeps the task alive. `ManuallyDrop` leaves that reference where it is.
    let task = ManuallyDrop::new(unsafe { Rc::from_raw(data.cast::<Task>()) });
    waker(Rc::clone(&task)).wake();
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: as in `wake_by_ref`.
    unsafe { Rc::increment_strong_count(data.cast::<Task>()) };
    RawWaker::new(data, &LEAKY)
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the pointer came from `Rc::into_raw`, and the caller gives up its waker's reference.
    drop(unsafe { Rc::from_raw(data.cast::<Task>()) });
}
