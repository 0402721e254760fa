use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives the thread to all other tasks that are queued, once.
///
/// Built in chapter 2, and again in chapter 9.
///
/// # Cancel safety
/// Dropping the future leaves one wake behind, which polls the task for nothing.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
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
