use std::pin::pin;
use std::task::{Context, Poll};

use trace::{Event, emit};

use crate::Parker;
use crate::traced::traced;

// ANCHOR: block_on
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
    // ANCHOR: block_on_body
    let parker = Parker::new();
    let waker = parker.unparker();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(traced(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => {
                emit!(Event::Park { timeout: None });
                parker.park(None);
                emit!(Event::Unpark);
            }
        }
    }
    // ANCHOR_END: block_on_body
}
// ANCHOR_END: block_on
