//! Chapter 5: many tasks on one thread.
//!
//! An [`Executor`] polls the tasks that were woken, and sleeps when there are none. Each task has a
//! scheduling state (idle, queued, running), so that a wake puts it into the run queue once, however
//! often it comes. How to sleep is left to a [`Park`]: chapter 3's parker here, the reactor of
//! chapter 6 next.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `executor` | [`Executor`], the loop |
//! | `scheduler` | the states of the tasks, and their run queue |
//! | `main_waker` | the waker of the future that `block_on` was given |
//! | `park` | [`Park`], the seam between the loop and what it sleeps on |
//! | `spawn` | [`spawn`] and [`enter`], the seam between tasks and whoever runs them |
//!
//! ```
//! use ch03_block_on::Parker;
//! use ch05_executor::{Executor, spawn};
//!
//! let executor = Executor::new(Parker::new());
//! let sum = executor.block_on(async {
//!     let (sender, receiver) = futures::channel::oneshot::channel();
//!     spawn(async move { sender.send(1 + 1).expect("the main future waits for it") });
//!     receiver.await
//! });
//! assert_eq!(sum, Ok(2));
//! ```

mod executor;
mod main_waker;
mod park;
mod scheduler;
mod spawn;

pub use executor::Executor;
pub use main_waker::MainWaker;
pub use park::Park;
pub use scheduler::Scheduler;
pub use spawn::{enter, is_entered, spawn};
