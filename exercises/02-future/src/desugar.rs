//! One `async fn`, and what the compiler makes of it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::{Countdown, countdown};

/// Counts down from `first`, then from `second`, and adds what came out.
///
/// See the book, chapter 2, "An `async fn` is an enum".
pub async fn add_slowly(first: u32, second: u32) -> u32 {
    let a = countdown(first).await;
    let b = countdown(second).await;
    a + b
}

/// [`add_slowly`] by hand: one variant for each place where it can stop, and in each variant just
/// what is still needed from there on.
///
/// See the book, chapter 2, "An `async fn` is an enum".
///
/// # Panics
/// If it is polled after it was ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[expect(missing_docs, reason = "the fields have the names that `add_slowly` gives them")]
pub enum AddSlowly {
    /// Called, but not yet polled: here are the arguments.
    Start { first: u32, second: u32 },
    /// At the first `.await`.
    First { waiting: Countdown, second: u32 },
    /// At the second `.await`. The local `a` lives across it.
    Second { a: u32, waiting: Countdown },
    /// Returned.
    Done,
}

impl Future for AddSlowly {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        // EXERCISE 02.2: Be the compiler
        todo!("02.2: go on from where it stands, until something is Pending or all is done");
        // END 02.2
    }
}
