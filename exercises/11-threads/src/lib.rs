//! Chapter 11: wakers that travel.
//!
//! A waker is `Send` and `Sync`: any thread may clone, wake and drop it, at any time, also when the
//! executor is long gone. The wakers of chapter 4 count with an `Rc` and end the process when they
//! are caught abroad (fault S4). Here the task is cut in two. The **future** never leaves its thread.
//! What travels is a small **header** that knows the task's number and whether it is queued already.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `header` | the half of a task that travels: its waker |
//! | `tasks` | the half that stays, and the run queue |
//! | `inbox` | [`Inbox`]: how another thread reaches this one |
//! | `woken` | the flag that makes many wakes one |
//! | `executor` | [`Executor`]: chapter 9's loop around these tasks |
//! | `oneshot` | a channel for one value, between any two threads |
//! | `pool` | [`Pool`]: threads for work that blocks |
//! | `remote` | [`RemoteHandle`]: the output of what runs elsewhere |
//! | `handle` | [`Handle`], by which other threads start tasks here; [`spawn_blocking`] |
//! | `runtime` | [`Runtime`]: chapter 9's, with this executor |
//! | `sync` | where the locks and atomics come from |
//!
//! ```
//! use std::thread;
//!
//! use ch11_threads::{Config, Runtime, oneshot, spawn_blocking};
//!
//! let runtime = Runtime::new(Config::default())?;
//! runtime.block_on(async {
//!     let (sender, receiver) = oneshot::channel();
//!     thread::spawn(move || sender.send("from another thread"));
//!     assert_eq!(receiver.await, Ok("from another thread"));
//!
//!     assert_eq!(spawn_blocking(|| 1 + 1).await.unwrap(), 2);
//! });
//! # std::io::Result::Ok(())
//! ```

mod executor;
mod handle;
mod header;
mod inbox;
pub mod oneshot;
mod pool;
mod remote;
mod runtime;
mod sync;
mod tasks;
mod woken;

pub use executor::{Config, Executor};
pub use handle::{Handle, spawn_blocking};
pub use inbox::Inbox;
pub use pool::{Pool, PoolConfig};
pub use remote::RemoteHandle;
pub use runtime::Runtime;
