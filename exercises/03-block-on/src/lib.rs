//! Chapter 3: run one future on one thread, and sleep while it waits.
//!
//! A future that returns `Pending` promises to call the waker later. [`block_on`] relies on that
//! promise: it polls, sleeps, and polls again when the waker was called.
//!
//! | module | builds |
//! | --- | --- |
//! | `parker` | [`Parker`]: a thread sleeps until somebody leaves a token |
//! | `block_on` | [`block_on`]: poll, park, poll again |
//! | `signal` | [`Signal`]: a future that another thread completes, without losing the wake |
//! | `traced` | what lets a hang explain itself; nothing depends on it |
//!
//! ```
//! use ch03_block_on::{block_on, signal};
//!
//! let (setter, answer) = signal();
//! std::thread::spawn(move || setter.set(42));
//! assert_eq!(block_on(answer), Some(42));
//! ```

mod block_on;
mod parker;
mod signal;
mod traced;

pub use block_on::block_on;
pub use parker::Parker;
pub use signal::{Setter, Signal, signal};
