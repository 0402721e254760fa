use std::fmt;
use std::future::{IntoFuture, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{Instant, Sleep, sleep, sleep_until};

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

/// Waits for `future`, and no longer than this. The time counts from the first poll.
///
/// Built in chapter 8.
///
/// # Errors
/// If the time is over. A future that is ready at the same time wins.
///
/// # Panics
/// If it is polled where no runtime runs.
///
/// # Cancel safety
/// That of the future, which is dropped when the time is over.
pub async fn timeout<F: IntoFuture>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    until(sleep(limit), future.into_future()).await
}

/// Waits for `future`, and no longer than until this time.
///
/// # Errors
/// If the time has come. A future that is ready at the same time wins.
///
/// # Panics
/// If it is polled where no runtime runs.
///
/// # Cancel safety
/// That of the future, which is dropped when the time has come.
pub async fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
    until(sleep_until(deadline), future.into_future()).await
}

async fn until<F: Future>(sleep: Sleep, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = pin!(sleep);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        sleep.as_mut().poll(cx).map(|()| Err(Elapsed(())))
    })
    .await
}
