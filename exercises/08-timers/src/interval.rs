use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::Stream;

use crate::{Sleep, Timers, sleep_until};

/// The nanoseconds of a second.
const NANOS: u128 = 1_000_000_000;

/// Ticks at once, and then once in every `period`.
///
/// See the section "Ticks" of chapter 8.
///
/// # Panics
/// If the period is zero, or outside of [`Runtime::block_on`](crate::Runtime::block_on).
pub fn interval(period: Duration) -> Interval {
    interval_at(Timers::current().clock().now(), period)
}

/// Ticks at `start`, and then once in every `period`.
///
/// # Panics
/// If the period is zero, or outside of [`Runtime::block_on`](crate::Runtime::block_on).
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "an interval needs a period");
    Interval { sleep: sleep_until(start), period, missed: MissedTickBehavior::default() }
}

/// What an [`Interval`] does about ticks for which nobody came in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Makes up for them, one right after the other, until it is on time again.
    #[default]
    Burst,
    /// Lets the next period begin now: all later ticks are late by as much.
    Delay,
    /// Leaves them out, and goes on at the next multiple of the period.
    Skip,
}

/// Made by [`interval`]. Also a [`Stream`] of ticks, which has no end.
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    missed: MissedTickBehavior,
}

impl Interval {
    /// Chooses what is done about missed ticks.
    pub fn set_missed_tick_behavior(&mut self, missed: MissedTickBehavior) {
        self.missed = missed;
    }

    /// Waits for the next tick. Returns the time at which it was due.
    ///
    /// # Cancel safety
    /// Dropping the future loses no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        // Only a tick that is later than an Instant can tell has no deadline. It never comes.
        let Some(due) = self.sleep.deadline() else {
            return Poll::Pending;
        };
        ready!(Pin::new(&mut self.sleep).poll(cx));
        self.sleep.reset_to(self.after(self.sleep.now()));
        Poll::Ready(due)
    }

    /// When to tick next, after the tick that was due then, and is taken now.
    fn after(&self, due: Instant) -> Option<Instant> {
        let now = self.sleep.now();
        match self.missed {
            MissedTickBehavior::Burst => due.checked_add(self.period),
            MissedTickBehavior::Delay => now.checked_add(self.period),
            MissedTickBehavior::Skip => {
                let late = now.duration_since(due).as_nanos() % self.period.as_nanos();
                // Less than the period, which is a `Duration`.
                let late = Duration::new((late / NANOS) as u64, (late % NANOS) as u32);
                now.checked_add(self.period - late)
            }
        }
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}
