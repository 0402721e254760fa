//! Chapter 8: time.
//!
//! A [`TimerPark`] goes around any [`Park`](ch05_executor::Park). It keeps the deadlines of
//! everybody who sleeps, lets the inner park wait until the nearest of them and no longer, and
//! wakes whose time has come. The loop of chapter 5 does not change: it has one more source of
//! wakes, and knows nothing of it.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `clock` | [`Clock`]: the real one, and one for tests, in which hours take no time |
//! | `deadlines` | [`Deadlines`]: a queue of deadlines, and a map that is one |
//! | `timers` | [`Timers`]: the deadlines and the clock of one runtime |
//! | `park` | [`TimerPark`]: the nearest deadline becomes the park's timeout |
//! | `sleep` | [`sleep`], [`sleep_until`], [`Sleep`] |
//! | `timeout` | [`timeout`] |
//! | `interval` | [`interval`], [`Interval`], [`MissedTickBehavior`] |
//! | `runtime` | [`Runtime`]: chapter 7's, with a clock |
//!
//! ```
//! use std::time::Duration;
//!
//! use ch08_timers::{Clock, Runtime, sleep, timeout};
//!
//! let runtime = Runtime::with_clock(Clock::virtual_now())?;
//! runtime.block_on(async {
//!     sleep(Duration::from_secs(3600)).await;
//!     let late = timeout(Duration::from_secs(1), sleep(Duration::MAX)).await;
//!     assert!(late.is_err());
//! });
//! # std::io::Result::Ok(())
//! ```

mod clock;
mod deadlines;
mod interval;
mod park;
mod runtime;
mod sleep;
mod timeout;
mod timers;

pub use clock::Clock;
pub use deadlines::{Deadlines, Key};
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use park::TimerPark;
pub use runtime::Runtime;
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, timeout};
pub use timers::{Timers, enter};
