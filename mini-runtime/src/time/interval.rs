use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Instant, Sleep, sleep_until};

/// What an [`Interval`] does about ticks that nobody has waited for in time.
///
/// Built in chapter 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Gives all of them, one right after the other, until it has caught up.
    #[default]
    Burst,
    /// Gives one at once, and the next ones a period after the other from then on. There is never less time
    /// than a period from when one is given to the next.
    Delay,
    /// Gives one at once, and goes on with the next one that is due in the old rhythm.
    Skip,
}

/// Ticks, a period apart. They go by the clock of the runtime in which it was made, as a [`Sleep`] does.
#[derive(Debug)]
pub struct Interval {
    next: Pin<Box<Sleep>>,
    due: Instant,
    period: Duration,
    behavior: MissedTickBehavior,
}

/// Ticks now, and then each time that `period` has passed.
///
/// # Panics
/// If the period is zero, or if no runtime runs on this thread.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start`, and then each time that `period` has passed.
///
/// # Panics
/// If the period is zero, or if no runtime runs on this thread.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval of no time would never end ticking");
    let behavior = MissedTickBehavior::default();
    Interval { next: Box::pin(sleep_until(start)), due: start, period, behavior }
}

impl Interval {
    /// Waits for the next tick, and says when it was due.
    ///
    /// # Panics
    /// If the runtime was dropped before the tick is due: as a [`Sleep`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Ready with the next tick.
    ///
    /// # Panics
    /// As [`tick`](Interval::tick).
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.next.as_mut().poll(cx));
        let due = self.due;
        self.reset_to(self.after(due));
        Poll::Ready(due)
    }

    /// When the tick after that of `due` is, which is given now.
    fn after(&self, due: Instant) -> Option<Instant> {
        let now = self.next.now();
        match self.behavior {
            MissedTickBehavior::Burst => due.checked_add(self.period),
            MissedTickBehavior::Delay => now.checked_add(self.period),
            MissedTickBehavior::Skip => {
                let late = now.duration_since(due).as_nanos() % self.period.as_nanos();
                let left = self.period - Duration::from_nanos(u64::try_from(late).ok()?);
                now.checked_add(left)
            }
        }
    }

    /// Begins anew: the next tick comes a period from now.
    pub fn reset(&mut self) {
        self.reset_to(self.next.now().checked_add(self.period));
    }

    fn reset_to(&mut self, due: Option<Instant>) {
        self.next.as_mut().get_mut().reset_to(due);
        if let Some(due) = due {
            self.due = due;
        }
    }

    /// What becomes of ticks that are missed.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.behavior
    }

    /// Decides what becomes of ticks that are missed.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.behavior = behavior;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}
