//! A future that steps aside once.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Is `Pending` one time, and `Ready` from then on.
///
/// In a runtime, everybody else who is ready runs before the second poll. Cancel safe.
///
/// See the book, chapter 2, "A future that you write".
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Gives the thread back to whoever polls, and asks to be polled again.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}
