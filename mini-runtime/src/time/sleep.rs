use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Instant;
use crate::context;
use crate::runtime::Core;
use crate::slab::Key;

/// A future that is ready when its deadline has come, never before.
///
/// It counts from when it was made, not from its first poll. It goes by the clock of the runtime in which
/// it was made, and wakes the task that has polled it last. It can be dropped anywhere on its thread.
///
/// Built in chapter 8.
///
/// # Cancel safety
/// Dropping it takes the deadline back.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    core: Rc<Core>,
    /// `None` is later than an [`Instant`] can tell: never.
    deadline: Option<Instant>,
    /// While somebody waits.
    timer: Option<Key>,
}

/// Sleeps for this long. [`Duration::MAX`] is for ever.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let core = context::current();
    let now = Instant::from_std(core.timers.clock.now());
    Sleep { core, deadline: now.checked_add(duration), timer: None }
}

/// Sleeps until this time. A time that is past is no wait at all.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { core: context::current(), deadline: Some(deadline), timer: None }
}

impl Sleep {
    /// Whether the time has come.
    pub fn is_elapsed(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.into_std() <= self.core.timers.clock.now())
    }

    /// The time at which this is ready. `None` if it never is.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits until another time instead. The old deadline wakes nobody any more, and the new one only who
    /// polls after this.
    pub fn reset(&mut self, deadline: Instant) {
        self.reset_to(Some(deadline));
    }

    pub(crate) fn reset_to(&mut self, deadline: Option<Instant>) {
        self.cancel();
        self.deadline = deadline;
    }

    fn cancel(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.core.timers.cancel(timer);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_elapsed() {
            self.cancel();
            return Poll::Ready(());
        }
        // Without a deadline, this was asked to sleep for ever: nobody has to be woken.
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let timers = &self.core.timers;
        // At every poll, because the task may be another one than last time.
        let is_set = self.timer.is_some_and(|timer| timers.replace(timer, cx.waker().clone()));
        if !is_set {
            self.timer = Some(timers.set(deadline.into_std(), cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
