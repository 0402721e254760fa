//! Two futures at once, until one is done.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Which of two it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

/// Polls two futures in turn, and is ready as soon as one is: with that one's output, and with the
/// other future, unfinished.
///
/// The first is asked first. If it is ready, the second is not polled.
///
/// Both must be [`Unpin`], because they move: into the result. Pin those that are not, with
/// [`pin!`](std::pin::pin) or [`Box::pin`], and hand in the pointer.
///
/// See the book, chapter 2, "The first of two".
///
/// # Cancel safety
/// Dropping it drops both futures, the first one first. The loser in the result loses nothing: poll
/// on, or drop it.
///
/// # Panics
/// If it is polled after it was ready.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Select<A, B> {
    both: Option<(A, B)>,
}

impl<A: Future + Unpin, B: Future + Unpin> Future for Select<A, B> {
    type Output = Either<(A::Output, B), (B::Output, A)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let both = self.both.take();
        let (mut a, mut b) = both.expect("`Select` polled after completion");
        match (Pin::new(&mut a).poll(cx), Pin::new(&mut b).poll(cx)) {
            (Poll::Ready(output), _) => Poll::Ready(Either::Left((output, b))),
            (_, Poll::Ready(output)) => Poll::Ready(Either::Right((output, a))),
            (Poll::Pending, Poll::Pending) => {
                self.both = Some((a, b));
                Poll::Pending
            }
        }
    }
}

/// Waits for the first of `a` and `b`. Neither of them runs before the first poll.
pub fn select<A: Future + Unpin, B: Future + Unpin>(a: A, b: B) -> Select<A, B> {
    Select { both: Some((a, b)) }
}
