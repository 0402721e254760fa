//! Finds the runtime that runs on this thread.
//!
//! Built in chapter 5, section "How `spawn` finds the executor". Things that need the runtime later, such
//! as a stream's `Drop`, hold a share of it instead.

use std::cell::Cell;
use std::future::poll_fn;
use std::ptr::NonNull;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::runtime::Core;
use crate::task::name::TaskName;

const NONE: &str = "this was called outside of block_on: no runtime runs on this thread";

thread_local! {
    /// Set while the runtime is in `block_on`, and not longer.
    static CURRENT: Cell<Option<NonNull<Core>>> = const { Cell::new(None) };
}

/// Makes `core` the runtime of this thread while `body` runs.
///
/// # Panics
/// If this thread has one already.
#[track_caller]
pub(crate) fn enter<R>(core: &Rc<Core>, body: impl FnOnce() -> R) -> R {
    /// Also if `body` panics.
    struct Leave;

    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.set(None);
        }
    }

    assert!(
        CURRENT.get().is_none(),
        "block_on was called inside of block_on: this thread runs a runtime already, so await the \
         future instead"
    );
    CURRENT.set(NonNull::new(Rc::as_ptr(core).cast_mut()));
    let _leave = Leave;
    body()
}

/// Calls `f` with the runtime of this thread, if there is one.
pub(crate) fn try_with<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // SAFETY: `enter` borrows the core for as long as the pointer is here.
    CURRENT.get().map(|core| f(unsafe { core.as_ref() }))
}

/// Calls `f` with the runtime of this thread.
///
/// # Panics
/// If there is none.
#[track_caller]
pub(crate) fn with<R>(f: impl FnOnce(&Core) -> R) -> R {
    try_with(f).expect(NONE)
}

/// A share in the runtime of this thread.
///
/// # Panics
/// If there is none.
#[track_caller]
pub(crate) fn current() -> Rc<Core> {
    let core = CURRENT.get().expect(NONE);
    // SAFETY: the pointer came from `Rc::as_ptr`, of an `Rc` that `enter` borrows for as long as the
    // pointer is here. The count is raised for the one that is made.
    unsafe {
        Rc::increment_strong_count(core.as_ptr());
        Rc::from_raw(core.as_ptr())
    }
}

/// Whether a runtime runs on this thread.
pub(crate) fn is_entered() -> bool {
    CURRENT.get().is_some()
}

// ANCHOR: wake_here
/// Wakes a task of the runtime on this thread. Returns `false` if it is another runtime's.
#[inline(always)]
pub(crate) fn wake_here(task: TaskName) -> bool {
    let Some(core) = CURRENT.get() else { return false };
    // SAFETY: as in `try_with`.
    unsafe { core.as_ref() }.executor.wake(task)
}
// ANCHOR_END: wake_here

/// Whether the task that is being polled may have more in this poll.
#[inline(always)]
pub(crate) fn has_allowance() -> bool {
    try_with(|core| core.executor.can_spend()).unwrap_or(true)
}

/// Pending if the task that is being polled has had enough for one poll. It is polled again in its next turn.
pub(crate) fn poll_allowance(cx: &mut Context<'_>) -> Poll<()> {
    if try_with(|core| core.executor.spend()).unwrap_or(true) {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// The same, for what is written with `await`.
pub(crate) async fn allowance() {
    poll_fn(poll_allowance).await;
}
