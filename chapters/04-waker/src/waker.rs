use std::io::Write;
use std::mem::ManuallyDrop;
use std::process;
use std::rc::Rc;
use std::task::{RawWaker, RawWakerVTable, Waker};
use std::thread;

use crate::Task;

// ANCHOR: waker
/// Makes a waker that owns one reference to the task.
///
/// Two wakers of the same task are equal for [`Waker::will_wake`]: they hold the same pointer and
/// the same table.
///
/// See the section "A fat pointer that you own" of chapter 4.
pub fn waker(task: Rc<Task>) -> Waker {
    // ANCHOR: waker_body
    task.count_waker();
    let data = Rc::into_raw(task).cast();
    // SAFETY: `data` came from `Rc::into_raw`, and its reference now belongs to this waker. Each of
    // the four functions keeps the books: clone adds a reference, wake and drop give up the one
    // that they are called with, wake_by_ref leaves the count alone. The contract also demands
    // thread safety. An `Rc` has none, so each function first makes sure that it runs on the
    // owner's thread, and ends the process where it does not.
    unsafe { Waker::new(data, &VTABLE) }
    // ANCHOR_END: waker_body
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);
// ANCHOR_END: waker

// ANCHOR: functions
unsafe fn clone(data: *const ()) -> RawWaker {
    // ANCHOR: clone_body
    // SAFETY: the caller holds a waker, and with it the reference that `data` stands for.
    let task = unsafe { borrow(data) };
    task.count_waker();
    let one_more = Rc::clone(&task);
    RawWaker::new(Rc::into_raw(one_more).cast(), &VTABLE)
    // ANCHOR_END: clone_body
}

unsafe fn wake(data: *const ()) {
    // ANCHOR: wake_body
    // SAFETY: the caller gives up its waker, and with it the reference. It drops nothing itself.
    let task = unsafe { take(data) };
    task.discount_waker();
    task.wake();
    // ANCHOR_END: wake_body
}

unsafe fn wake_by_ref(data: *const ()) {
    // ANCHOR: wake_by_ref_body
    // SAFETY: the caller holds a waker, and with it the reference that `data` stands for.
    let task = unsafe { borrow(data) };
    Rc::clone(&task).wake();
    // ANCHOR_END: wake_by_ref_body
}

unsafe fn drop_waker(data: *const ()) {
    // ANCHOR: drop_body
    // SAFETY: the caller gives up its waker, and with it the reference. It drops nothing itself.
    let task = unsafe { take(data) };
    task.discount_waker();
    // ANCHOR_END: drop_body
}
// ANCHOR_END: functions

// ANCHOR: helpers
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
// ANCHOR_END: helpers

// ANCHOR: check_owner
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
// ANCHOR_END: check_owner
