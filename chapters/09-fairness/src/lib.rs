//! Chapter 9: a share for everybody.
//!
//! Chapter 5's loop runs the queue until it is empty, and looks at the park after that. A task that
//! wakes itself again and again keeps the queue from ever being empty, and so keeps the thread from
//! its sockets and its clock (fault S6). Here are three remedies and a diagnosis:
//!
//! - The [`Executor`] gives the queue a **run budget**: after so many polls it visits the park, with
//!   a timeout of zero.
//! - A task that finds everything ready never waits, and so never gives the thread back. With a
//!   **cooperative budget** its streams say "not now" after so many steps: [`Coop`].
//! - [`yield_now`] lets everybody else run first, the park included.
//! - The **detector** times each poll, and names the task whose poll took too long: [`SlowPoll`].
//!
//! | module | what is in it |
//! | --- | --- |
//! | `executor` | [`Executor`], the loop with a budget |
//! | `coop` | the cooperative budget, [`Coop`] |
//! | `yield_now` | [`yield_now`] and the queue of those who yielded |
//! | `watched` | [`SlowPoll`], and the wrapper around each task that times it |
//! | `tasks` | [`Tasks`], the seam between the loop and whoever holds the tasks |
//! | `runtime` | [`Runtime`]: chapter 8's, with this executor |
//!
//! ```
//! use std::time::Duration;
//!
//! use ch08_timers::sleep;
//! use ch09_fairness::{Config, Runtime, spawn};
//!
//! let runtime = Runtime::new(Config::default())?;
//! runtime.block_on(async {
//!     // This one never lets the queue become empty. The clock is heard nevertheless.
//!     spawn(std::future::poll_fn(|cx| {
//!         cx.waker().wake_by_ref();
//!         std::task::Poll::Pending
//!     }));
//!     sleep(Duration::from_millis(1)).await;
//! });
//! # std::io::Result::Ok(())
//! ```

mod coop;
mod executor;
mod runtime;
mod tasks;
mod watched;
mod yield_now;

pub use coop::{COOP_BUDGET, Coop, poll_step};
pub use executor::{Config, Executor};
pub use runtime::Runtime;
pub use tasks::Tasks;
pub use watched::{SlowPoll, spawn};
pub use yield_now::yield_now;
