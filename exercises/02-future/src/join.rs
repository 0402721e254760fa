//! Two futures at once, until both are done.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Polls two futures in turn, and is ready with both outputs when the second of them is there.
///
/// A future that has finished is dropped at once, its output is kept, and it is not polled again.
///
/// The futures need not be [`Unpin`]. A `Join` may move after its first poll only if both of them
/// may:
///
/// ```compile_fail,E0277
/// fn may_move(_: impl Unpin) {}
/// may_move(ch02_future::join(async {}, async {}));
/// ```
///
/// See the book, chapter 2, "Two at once" and "Structural pinning".
///
/// # Cancel safety
/// Dropping it drops the futures that still run, the first one first, and an output that was kept.
///
/// # Panics
/// If it is polled after it was ready.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Join<A: Future, B: Future> {
    // Pinned as long as the `Join` is; `None` when finished.
    a: Option<A>,
    b: Option<B>,
    // Not pinned: outputs are plain values.
    outputs: (Option<A::Output>, Option<B::Output>),
}

/// Waits for both `a` and `b`, at the same time. Neither of them runs before the first poll.
pub fn join<A: Future, B: Future>(a: A, b: B) -> Join<A, B> {
    Join { a: Some(a), b: Some(b), outputs: (None, None) }
}

impl<A: Future, B: Future> Future for Join<A, B> {
    type Output = (A::Output, B::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(self.a.is_some() || self.b.is_some(), "`Join` polled after completion");
        // SAFETY: a pinned `Join` promises that its futures stay where they are until they are
        // dropped there, and it keeps the promise. The `Join` is pinned, so it does not carry them
        // elsewhere. Nobody but this function makes a `&mut` to them, and it is pinned at once.
        // No `Drop` of ours could move them. No `Unpin` of ours says more than the compiler's: it
        // may move only if both of them may. And it is not `repr(packed)`, where fields are moved
        // to be dropped. The outputs were never promised a place: a plain `&mut` will do.
        let (a, b, outputs) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.a), Pin::new_unchecked(&mut this.b), &mut this.outputs)
        };
        // EXERCISE 02.3: Both at once
        todo!("02.3: poll both, and be Ready with both outputs as soon as they are there");
        // END 02.3
    }
}

fn poll_unless_finished<F: Future>(
    mut future: Pin<&mut Option<F>>,
    output: &mut Option<F::Output>,
    cx: &mut Context<'_>,
) {
    if let Some(running) = future.as_mut().as_pin_mut()
        && let Poll::Ready(value) = running.poll(cx)
    {
        *output = Some(value);
        future.set(None);
    }
}
