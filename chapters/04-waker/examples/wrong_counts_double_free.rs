//! A vtable whose `clone` forgets to take a reference for the second waker.
//!
//! Predict: two wakers share one reference. What does the count say when one of them is gone, and
//! what when both are?
//!
//! Nothing is freed too early here. We hold a spare reference, so that the missing one shows as a
//! wrong number. Without the spare, the program would use freed memory, and might do anything.
//!
//! - `cargo run -p ch04-waker --example wrong_counts_double_free`: the count is one too low.
//! - `cargo run -p ch04-waker --example wrong_counts_double_free -- mended`: chapter 4's waker.

use std::error::Error;
use std::future::pending;
use std::mem;
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
    let schedule = Rc::downgrade(&queue);
    let task = Task::new(1, Box::pin(pending()).into(), schedule);
    let spare = task.clone();
    say("A task, and a spare reference.", 2, &task);

    let one = match version {
        Version::Failing => careless_waker(task.clone()),
        Version::Mended => waker(task.clone()),
    };
    say("We have made a waker.", 3, &task);
    let two = one.clone();
    say("We have cloned it.", 4, &task);
    drop(two);
    say("The clone has been dropped.", 3, &task);
    drop(one);
    say("The first has been dropped.", 2, &task);

    if Rc::strong_count(&task) == 2 {
        println!("Everybody who holds the task is counted.");
        return Ok(());
    }
    // The spare pays for the reference that `clone` did not take: it must not be given up as well.
    mem::forget(spare);
    Err("Two hold the task, and its count says one.\n\
         When the first lets go, the task is freed. When the second does, it is freed again.\n\
         This is a double free. We stop before that, and keep the spare reference."
        .into())
}

fn say(what: &str, holders: usize, task: &Rc<Task>) {
    let count = Rc::strong_count(task);
    println!("{what:<32} Held by {holders}. Its count is {count}.");
}

/// A waker that keeps its books as it should, but for one function.
fn careless_waker(task: Rc<Task>) -> Waker {
    // SAFETY: the pointer stands for the reference that the waker takes over. Each clone lets one
    // reference too many go when it is dropped; `body` clones once, and holds one to spare for it.
    // This demo has one thread.
    unsafe { Waker::new(Rc::into_raw(task).cast(), &CARELESS) }
}

static CARELESS: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

// ANCHOR: clone
unsafe fn clone(data: *const ()) -> RawWaker {
    // The fault: there is a second waker now, and nobody has counted it.
    RawWaker::new(data, &CARELESS)
}
// ANCHOR_END: clone

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the pointer came from `Rc::into_raw`. For one call too many, `body` holds a spare.
    drop(unsafe { Rc::from_raw(data.cast::<Task>()) });
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as in `drop_waker`; from here on, the reference is that of chapter 4's waker.
    waker(unsafe { Rc::from_raw(data.cast::<Task>()) }).wake();
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the pointer came from `Rc::into_raw`, and the task is alive. `wake` gives up the
    // reference that is added here.
    unsafe { Rc::increment_strong_count(data.cast::<Task>()) };
    // SAFETY: see above.
    unsafe { wake(data) };
}
