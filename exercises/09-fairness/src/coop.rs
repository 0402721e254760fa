use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite, Stream};

use crate::yield_now::wake_after_park;

/// How many steps a task may take in one poll, by default.
pub const COOP_BUDGET: u32 = 128;

thread_local! {
    /// What is left of the current poll's budget. Outside of any poll there is no limit.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Takes a step that may be ready again and again, and charges it to the budget of the current
/// task's poll. When nothing is left of that, the step is not taken: this is pending, and the task is
/// polled again after everybody else had a turn.
///
/// A step that is pending itself costs nothing. It has not kept the thread.
///
/// See the section "Steps" of chapter 9.
pub fn poll_step<T>(
    cx: &mut Context<'_>,
    step: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    // EXERCISE 09.3: Charge for a step
    todo!("09.3: take the step if one is left, and charge for it if it is ready");
    // END 09.3
}

/// Gives the poll that follows a new budget, until the guard is dropped.
pub(crate) fn new_budget(budget: u32) -> BudgetGuard {
    BudgetGuard { before: LEFT.replace(Some(budget)) }
}

/// Brings back the budget that was there before, when it is dropped.
#[must_use = "the budget is over as soon as this is dropped"]
pub(crate) struct BudgetGuard {
    before: Option<u32>,
}

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        LEFT.set(self.before);
    }
}

/// A stream of bytes or of items. Each step that brings something costs one of the task's budget.
///
/// See the section "Steps" of chapter 9.
///
/// # Cancel safety
/// That of the stream inside: a step that the budget refuses has not been taken.
#[derive(Debug)]
pub struct Coop<S>(pub S);

impl<S: AsyncRead + Unpin> AsyncRead for Coop<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        poll_step(cx, |cx| Pin::new(&mut self.0).poll_read(cx, buffer))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_step(cx, |cx| Pin::new(&mut self.0).poll_read_vectored(cx, buffers))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coop<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_step(cx, |cx| Pin::new(&mut self.0).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_step(cx, |cx| Pin::new(&mut self.0).poll_write_vectored(cx, slices))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl<S: Stream + Unpin> Stream for Coop<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        poll_step(cx, |cx| Pin::new(&mut self.0).poll_next(cx))
    }
}
