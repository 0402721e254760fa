use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Instant, Sleep, sleep, sleep_until};
use crate::context;

/// The time was over before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline has come")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> std::io::Error {
        std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

/// Waits for `future`, and no longer than this. The time counts from this call, not from the first poll.
///
/// Built in chapter 8.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), sleep: sleep(limit) }
}

/// Waits for `future`, and no longer than until this time.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { future: future.into_future(), sleep: sleep_until(deadline) }
}

/// The future of [`timeout`] and [`timeout_at`]: ready with the output of the future inside, or with the
/// error that the time is over. A future that is ready at the same time wins.
///
/// # Panics
/// If it is polled after its runtime was dropped, and neither is the future ready nor has the deadline come:
/// as a [`Sleep`].
///
/// # Cancel safety
/// That of the future inside. It is dropped with this.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Timeout<F> {
    /// Is pinned with this.
    future: F,
    /// Is not.
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is neither moved out of here, nor given away as anything but pinned, and there
        // is no `Drop` that could. This type is `Unpin` only if the future is.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.sleep)
        };
        let had_allowance = context::has_allowance();
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that always has more to do would never let the time be over. One timeout after the other
        // does not get by, though: the next one finds nothing left.
        let limit = match had_allowance && !context::has_allowance() {
            true => sleep.poll_limit(cx),
            false => Pin::new(sleep).poll(cx),
        };
        limit.map(|()| Err(Elapsed(())))
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("deadline", &self.sleep.deadline()).finish_non_exhaustive()
    }
}
