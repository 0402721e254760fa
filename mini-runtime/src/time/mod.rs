//! Time: sleeping, timeouts, intervals, and a clock that can be moved.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `sleep` | [`sleep()`], [`sleep_until`], [`Sleep`] | chapter 8 |
//! | `timeout` | [`timeout()`], [`timeout_at`], [`Timeout`], [`Elapsed`] | chapter 8 |
//! | `interval` | [`interval()`], [`interval_at`], [`Interval`], [`MissedTickBehavior`] | chapter 8 |
//! | `instant` | [`Instant`] | |
//! | `clock` | the time of a runtime | chapter 8 |
//! | `wheel` | the deadlines | chapter 14 |
//! | `timers` | the two together | chapter 8 |

mod clock;
mod instant;
mod interval;
mod sleep;
mod timeout;
mod timers;
mod wheel;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub(crate) use sleep::nap;
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub(crate) use timers::Timers;

use std::time::Duration;

use crate::context;

/// Stops the clock of this thread's runtime. From now on it moves when [`advance`] is called, and when
/// nobody has anything to do: then it jumps to the next deadline.
///
/// It does not wait for sockets and other threads. Use it where all that is waited for is other tasks, and
/// time.
///
/// Built in chapter 8, section "A clock for tests".
///
/// # Panics
/// If the clock is paused already, or if no runtime runs on this thread.
#[track_caller]
pub fn pause() {
    context::current().timers.clock.pause();
}

/// Lets the clock go on, from where it stands, as fast as the system's. So the time of a runtime never goes
/// back, however far it was moved.
///
/// # Panics
/// If the clock is not paused, or if no runtime runs on this thread.
#[track_caller]
pub fn resume() {
    context::current().timers.clock.resume();
}

/// Moves a clock that is paused, and lets those run whose deadlines are passed thereby.
///
/// # Panics
/// If the clock is not paused, if the time would be later than an [`Instant`] can tell, or if no runtime
/// runs on this thread.
///
/// # Cancel safety
/// The first poll moves the clock. A future that is dropped after that has moved it.
pub async fn advance(by: Duration) {
    context::with(|core| {
        core.timers.clock.advance(by);
        core.timers.fire();
    });
    // They were woken before this task, so they run before it.
    crate::task::yield_now().await;
}
