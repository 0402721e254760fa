use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;
use io_uring::squeue;

use super::{Completion, Slot};
use crate::driver::op::uring;
use crate::net::socket::Socket;
use crate::task::clone_of;

/// An operation that is submitted once, and completed again and again: *multishot*.
///
/// # Safety
/// As for [`Operation`](super::Operation).
pub(crate) unsafe trait Streaming: 'static {
    /// What each completion brings.
    type Item;

    fn socket(&self) -> &Rc<Socket>;

    /// The entry for the submission queue, once for each submission.
    fn entry(&mut self) -> squeue::Entry;

    /// Makes an item of one completion. Also called if the future was dropped before: so an item has to
    /// clean up after itself.
    fn item(&mut self, completion: Completion) -> Self::Item;
}

/// The items of a multishot operation. The first poll submits it. Ends when the kernel ends it: then it has to be submitted anew.
///
/// # Cancel safety
/// Dropping it asks the kernel to give the operation up. Items that nobody has fetched are dropped.
pub(crate) struct StreamingOp<S: Streaming> {
    /// Since it was submitted.
    slot: Option<Rc<Slot>>,
    /// `None` after it has moved to the driver.
    operation: Option<S>,
}

impl<S: Streaming> Unpin for StreamingOp<S> {}

impl<S: Streaming> StreamingOp<S> {
    pub(crate) fn new(operation: S) -> StreamingOp<S> {
        StreamingOp { slot: None, operation: Some(operation) }
    }
}

impl<S: Streaming> Stream for StreamingOp<S> {
    type Item = S::Item;

    /// # Panics
    /// If the runtime does not sleep on a ring.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.get_mut();
        let operation = this.operation.as_mut().expect("it moves when this is dropped");
        let Some(slot) = &this.slot else {
            let entry = operation.entry();
            let ring = uring(operation.socket());
            // SAFETY: what the entry points to is valid until the operation is dropped, as its type
            // promises. That is after its last completion: `abandon` keeps it until then.
            return match unsafe { ring.submit_streaming(entry, clone_of(cx.waker())) } {
                Ok(slot) => {
                    this.slot = Some(slot);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Some(operation.item(Completion::failed(error)))),
            };
        };
        match slot.take_next(cx.waker()) {
            None => Poll::Pending,
            Some(next) => Poll::Ready(next.map(|completion| operation.item(completion))),
        }
    }
}

impl<S: Streaming> Drop for StreamingOp<S> {
    fn drop(&mut self) {
        if let (Some(slot), Some(mut operation)) = (self.slot.take(), self.operation.take()) {
            let socket = operation.socket().clone();
            uring(&socket).abandon(&slot, move |completion| drop(operation.item(completion)));
        }
    }
}
