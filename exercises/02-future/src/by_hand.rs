//! What is left of a runtime when you do its work yourself.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `future` one time. It gets `waker` to be woken with.
///
/// See the book, chapter 2, "Who calls poll".
///
/// # Panics
/// If the future does: most do when they are polled after they were [`Poll::Ready`].
pub fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    let mut context = Context::from_waker(waker);
    future.poll(&mut context)
}

/// How often the waker that [`counting_waker`] made, or a clone of it, has been woken.
#[derive(Debug, Default)]
pub struct WakeCount(AtomicUsize);

impl WakeCount {
    /// The number of wakes so far.
    pub fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A waker that does nothing but count, and its count.
///
/// A runtime's waker would see to it that the future is polled again. Here that is up to you.
/// See the book, chapter 2, "Who calls poll".
pub fn counting_waker() -> (Waker, Arc<WakeCount>) {
    let wakes = Arc::new(WakeCount::default());
    (Waker::from(wakes.clone()), wakes)
}
