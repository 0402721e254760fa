//! Chapter 4: tasks, a queue of them, and the waker's four functions by hand.
//!
//! A [`Task`] is a future in an `Rc`. A [`Waker`](std::task::Waker) for it is a pointer to that
//! `Rc` and a table of four functions, which [`waker`] fills in: clone, wake, wake by reference,
//! drop. Waking hands the task to whatever implements [`Schedule`]; here that is the [`TaskQueue`],
//! from chapter 5 on it is an executor.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `task` | [`Task`], [`Schedule`] |
//! | `queue` | [`TaskQueue`] |
//! | `waker` | [`waker`], the four functions |
//! | `traced` | what lets a hang explain itself; nothing depends on it |
//!
//! # Wakers stay on their thread
//!
//! `Waker` is `Send + Sync`, but an `Rc` counts without atomic operations. Until chapter 11 builds a
//! waker that may travel, the ones made here check the thread first: on another thread than the
//! task's, cloning, waking or dropping one aborts the process with a sentence that says so.

mod queue;
mod task;
mod traced;
mod waker;

pub use queue::TaskQueue;
pub use task::{Schedule, Task};
pub use waker::waker;
