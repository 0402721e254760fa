use std::pin::pin;
use std::task::{Context, Poll};

use trace::{Event, emit};

use crate::Parker;
use crate::traced::traced;

/// Runs a future to its end on the calling thread, which sleeps while the future is pending.
///
/// The future is polled once, then once more after each wake; wakes that come close together are one.
/// Each call sleeps on a [`Parker`] of its own, so a `block_on` inside a future that `block_on` runs
/// cannot take the outer one's wake. It does keep the outer future waiting, though.
///
/// See the section "The loop" of chapter 3.
///
/// # Panics
/// If the future panics.
pub fn block_on<F: Future>(future: F) -> F::Output {
    // EXERCISE 03.2: Poll, park, poll again
    todo!("03.2: poll the future; while it is pending, sleep on a parker, and poll again");
    // END 03.2
}
