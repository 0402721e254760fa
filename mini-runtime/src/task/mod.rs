//! Tasks: futures that the runtime polls by itself.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `name` | what a waker is: a name, and no share | chapters 4 and 11: a counted reference |
//! | `raw` | the one allocation, its states, and the functions that know the future | chapters 4, 5, 10 |
//! | `join` | [`JoinHandle`] | chapter 10 |
//! | `set` | [`JoinSet`] | |
//! | `remote` | [`RemoteHandle`] | chapter 11 |
//! | `error` | [`JoinError`] | chapter 10 |
//! | `yield_now` | [`yield_now`] | chapters 2 and 9 |

mod error;
mod join;
pub(crate) mod name;
pub(crate) mod raw;
pub(crate) mod remote;
mod set;
mod yield_now;

pub use error::JoinError;
pub use join::JoinHandle;
pub use remote::RemoteHandle;
pub use set::JoinSet;
pub use yield_now::{YieldNow, yield_now};

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};
use std::task::Waker;

use self::name::TaskName;
use crate::context;
use crate::unwind::contain;

/// Starts a task on the runtime of this thread. It is polled after the caller has given the thread back,
/// in the order of spawning.
///
/// The future stays on this thread, so it need not be `Send`. It is dropped when it is done, or with the
/// runtime.
///
/// Built in chapter 5, section "How `spawn` finds the executor".
///
/// # Panics
/// If no runtime runs on this thread, or if it has 2²⁶ − 1 tasks already.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    // The future is moved into its task at once, and not through one function after the other.
    let task = raw::TaskRef::new(future);
    context::with(|core| core.executor.spawn(&task));
    // SAFETY: the output of the task is that of its future, and this is its only handle.
    unsafe { JoinHandle::new(task) }
}

/// Runs `work` on a thread of the runtime's pool, where it may block: the way from async code to code that
/// is not. What was begun cannot be stopped.
///
/// Built in chapter 11, section "Work that blocks".
///
/// # Panics
/// If no runtime runs on this thread, or if the pool has no thread and the system gives it none.
#[track_caller]
pub fn spawn_blocking<T>(work: impl FnOnce() -> T + Send + 'static) -> RemoteHandle<T>
where
    T: Send + 'static,
{
    context::with(|core| core.pool()).spawn(work)
}

/// Wakes who waits, if somebody does. It may be anybody's waker: if it panics, that is nobody's fault here.
#[inline(always)]
pub(crate) fn wake(waiting: Option<Waker>) {
    let Some(waker) = waiting else { return };
    match TaskName::of(&waker) {
        Some(name) => {
            name.wake();
            // One of ours owns nothing.
            mem::forget(waker);
        }
        None => contain(|| waker.wake()),
    }
}

/// Keeps a waker in the place of whoever waited before. Cloning the one and dropping the other may run any
/// code: whoever calls this looks again after it.
#[inline]
pub(crate) fn wait(waiting: &Cell<Option<Waker>>, waker: &Waker) {
    let before = waiting.take();
    if before.as_ref().is_some_and(|before| before.will_wake(waker)) {
        waiting.set(before);
    } else {
        waiting.set(Some(clone_of(waker)));
    }
}

/// As `clone`. One of ours need not be asked how that is done.
#[inline(always)]
pub(crate) fn clone_of(waker: &Waker) -> Waker {
    match TaskName::of(waker) {
        Some(name) => ManuallyDrop::into_inner(name.waker()),
        None => waker.clone(),
    }
}
