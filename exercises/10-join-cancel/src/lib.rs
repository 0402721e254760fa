//! Chapter 10: join and cancel.
//!
//! Until now a task was started and forgotten. [`spawn`] returns a [`JoinHandle`]: await it, and you
//! get the task's output, or learn that it panicked or was cancelled. A panic ends its task alone.
//! All of that is one wrapper around the task's future; the executors of chapters 5 and 9 run it
//! unchanged.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `join` | [`spawn`], [`JoinHandle`], [`AbortOnDrop`] |
//! | `error` | [`JoinError`] |
//! | `stop` | [`Stop`]: tells many that it is time to end; [`Stopped`], [`UntilStopped`] |
//! | `lines` | [`Lines`]: a reader that can be cancelled and loses nothing |
//! | `serve` | [`serve`]: stops accepting, drains, and has a deadline |
//!
//! ```
//! use ch09_fairness::{Config, Runtime};
//! use ch10_join_cancel::spawn;
//!
//! let runtime = Runtime::new(Config::default())?;
//! runtime.block_on(async {
//!     assert_eq!(spawn(async { 1 + 1 }).await.unwrap(), 2);
//!     assert!(spawn(async { panic!("alone") }).await.unwrap_err().is_panic());
//! });
//! # std::io::Result::Ok(())
//! ```

mod error;
mod join;
mod lines;
mod serve;
mod stop;

pub use error::JoinError;
pub use join::{AbortOnDrop, JoinHandle, spawn};
pub use lines::Lines;
pub use serve::{Drained, serve};
pub use stop::{Stop, Stopped, UntilStopped};
