//! A future that needs a known number of polls.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Is `Pending` as many times as [`countdown`] was told, then `Ready` with that number.
///
/// Each `Pending` wakes at once, because there is nothing else to wait for. Polled after it was
/// ready, it is ready again. Cancel safe: it holds nothing but two numbers.
///
/// See the book, chapter 2, "A future that you write".
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Countdown {
    from: u32,
    left: u32,
}

impl Future for Countdown {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        // EXERCISE 02.1: A future that needs some polls
        todo!("02.1: be Pending as often as told, and ask for the next poll each time; then be Ready");
        // END 02.1
    }
}

/// Counts down from `from`, one step at each poll.
pub fn countdown(from: u32) -> Countdown {
    Countdown { from, left: from }
}
