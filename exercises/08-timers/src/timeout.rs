use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use crate::sleep;

/// Gives a future this much time, counted from now. A future that is ready at once wins against any
/// timeout.
///
/// The future is dropped when it is done, or when its time is over.
///
/// See the section "A race" of chapter 8.
///
/// # Errors
/// [`Elapsed`], if the time was over before the future was ready.
///
/// # Panics
/// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
///
/// # Cancel safety
/// That of the future: dropping the timeout drops it.
pub fn timeout<F: Future>(
    duration: Duration,
    future: F,
) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let sleep = sleep(duration);
    async move {
        // The left one is polled first.
        match select(pin!(future), sleep).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(((), _)) => Err(Elapsed),
        }
    }
}

/// The time was over before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for Elapsed {}
