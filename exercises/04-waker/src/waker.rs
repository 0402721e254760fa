use std::io::Write;
use std::mem::ManuallyDrop;
use std::process;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;

use crate::Task;

/// Makes a waker that owns one reference to the task.
///
/// Two wakers of the same task are equal for [`Waker::will_wake`]: they hold the same pointer and
/// the same table.
///
/// See the section "A fat pointer that you own" of chapter 4.
pub fn waker(task: Rc<Task>) -> Waker {
    // EXERCISE 04.1: Make a waker, and drop it
    todo!("04.1: count the waker, and hand the task's reference over to it");
    // END 04.1
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

unsafe fn clone(data: *const ()) -> RawWaker {
    // EXERCISE 04.2: Clone a waker
    todo!("04.2: make a second waker, with a reference of its own");
    // END 04.2
}

unsafe fn wake(data: *const ()) {
    // EXERCISE 04.3: Wake, and wake by reference
    todo!("04.3: the waker is used up: pass its reference on to `Task::wake`");
    // END 04.3
}

unsafe fn wake_by_ref(data: *const ()) {
    // EXERCISE 04.3: Wake, and wake by reference
    todo!("04.3: wake the task, and leave the waker as it is");
    // END 04.3
}

unsafe fn drop_waker(data: *const ()) {
    // EXERCISE 04.1: Make a waker, and drop it
    todo!("04.1: the waker goes: give up its reference, and count it no longer");
    // END 04.1
}

/// Turns the pointer of a waker back into the reference that it owns.
///
/// # Safety
/// `data` is the pointer of a live waker from [`waker`]. The waker and what is returned own the same
/// reference, so only one of the two may be dropped.
unsafe fn take(data: *const ()) -> Rc<Task> {
    // SAFETY: `data` is the pointer of a live waker.
    unsafe { check_owner(data.cast()) };
    // SAFETY: the pointer came from `Rc::into_raw`, its reference is the caller's to give away, and
    // this is the thread that counts.
    unsafe { Rc::from_raw(data.cast()) }
}

/// Looks at the task without taking the reference away from the waker.
///
/// # Safety
/// `data` is the pointer of a waker from [`waker`], which outlives the result.
unsafe fn borrow(data: *const ()) -> ManuallyDrop<Rc<Task>> {
    // SAFETY: the waker is alive, as the caller promises, and the result is never dropped.
    ManuallyDrop::new(unsafe { take(data) })
}

/// Ends the process if this is not the thread that owns the task.
///
/// # Safety
/// `task` is alive.
unsafe fn check_owner(task: *const Task) {
    // SAFETY: the task is alive, and `owner` is not written to after the task was made: any thread
    // may read this one field, although the rest of the task belongs to its owner.
    let owner = unsafe { (*task).owner };
    if thread::current().id() != owner {
        // Going on would race on the count. Unwinding out of a waker's drop is no better.
        let _ = writeln!(
            std::io::stderr(),
            "A waker was used on another thread than the one that owns its task.\n\
             These wakers count with an Rc and must stay at home; chapter 11 builds wakers that travel."
        );
        process::abort();
    }
}
