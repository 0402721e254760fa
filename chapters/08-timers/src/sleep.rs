use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::{Key, Timers};

// ANCHOR: sleep
/// A future that is ready when its deadline has come, never before.
///
/// It counts from when it was made, not from its first poll. It goes by the clock of the runtime in
/// which it was made, and wakes the task that has polled it last. It can be dropped anywhere on its
/// thread.
///
/// See the page "A sleep" of chapter 8.
///
/// # Cancel safety
/// Dropping it takes the deadline back.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    timers: Rc<Timers>,
    /// `None` is later than [`Instant`] can tell: never.
    key: Option<Key>,
}

/// Sleeps for this long. [`Duration::MAX`] is for ever.
///
/// # Panics
/// Outside of [`Runtime::block_on`](crate::Runtime::block_on). Also in `block_on(sleep(…))`, where
/// the argument is made before the call.
pub fn sleep(duration: Duration) -> Sleep {
    let timers = Timers::current();
    let deadline = timers.clock().now().checked_add(duration);
    let key = deadline.map(|deadline| timers.key(deadline));
    Sleep { timers, key }
}

/// Sleeps until this time. A time that is past is no wait at all.
///
/// # Panics
/// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
pub fn sleep_until(deadline: Instant) -> Sleep {
    let timers = Timers::current();
    let key = Some(timers.key(deadline));
    Sleep { timers, key }
}
// ANCHOR_END: sleep

impl Sleep {
    /// The time at which this is ready. `None` if it never is.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.key?.deadline)
    }

    /// Whether the time has come.
    pub fn is_elapsed(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= self.now())
    }

    // ANCHOR: reset
    /// Waits until another time instead. The old deadline wakes nobody any more, and the new one
    /// only who polls after this.
    pub fn reset(&mut self, deadline: Instant) {
        self.reset_to(Some(deadline));
    }

    pub(crate) fn reset_to(&mut self, deadline: Option<Instant>) {
        self.cancel();
        self.key = deadline.map(|deadline| self.timers.key(deadline));
    }
    // ANCHOR_END: reset

    pub(crate) fn now(&self) -> Instant {
        self.timers.clock().now()
    }

    fn cancel(&self) {
        if let Some(key) = self.key {
            self.timers.cancel(key);
        }
    }
}

// ANCHOR: poll
impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // ANCHOR: poll_body
        if self.is_elapsed() {
            self.cancel();
            return Poll::Ready(());
        }
        // Without a key, this was asked to sleep for ever: nobody has to be woken.
        if let Some(key) = self.key {
            // At every poll, because the task may be another one than last time.
            self.timers.set(key, cx.waker().clone());
        }
        Poll::Pending
        // ANCHOR_END: poll_body
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
// ANCHOR_END: poll
