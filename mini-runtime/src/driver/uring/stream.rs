use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_core::Stream;
use io_uring::squeue;

use super::{Completion, Uring};
use crate::driver::Driver;
use crate::runtime::Core;
use crate::slab::Key;

/// An operation that is submitted once, and completed again and again: *multishot*.
///
/// # Safety
/// As for [`Operation`](super::Operation).
pub(crate) unsafe trait Streaming: 'static {
    /// What each completion brings.
    type Item;

    /// The entry for the submission queue. Called once.
    fn entry(&mut self) -> squeue::Entry;

    /// Makes an item of one completion. Also called if the future was dropped before: so an item has to
    /// clean up after itself.
    fn item(&mut self, completion: Completion) -> Self::Item;
}

/// The items of a multishot operation. Ends when the kernel ends it: then it has to be submitted anew.
///
/// # Cancel safety
/// Dropping it asks the kernel to give the operation up. Items that nobody has fetched are dropped.
pub(crate) struct StreamingOp<S: Streaming> {
    core: Rc<Core>,
    key: Key,
    /// `None` after it has moved to the driver.
    operation: Option<S>,
}

impl<S: Streaming> Unpin for StreamingOp<S> {}

fn uring(core: &Core) -> &Uring {
    match &core.driver {
        Driver::Uring(uring) => uring,
        Driver::Epoll(_) => unreachable!("operations are for rings"),
    }
}

impl<S: Streaming> StreamingOp<S> {
    /// # Panics
    /// If the runtime does not sleep on a ring.
    pub(crate) fn submit(core: &Rc<Core>, mut operation: S) -> StreamingOp<S> {
        let entry = operation.entry();
        // SAFETY: what the entry points to is valid until the operation is dropped, as its type promises.
        // That is after its last completion: `abandon` keeps it until then.
        let key = unsafe { uring(core).submit(entry, true) };
        StreamingOp { core: core.clone(), key, operation: Some(operation) }
    }
}

impl<S: Streaming> Stream for StreamingOp<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let next = uring(&self.core).take_next(self.key, cx.waker());
        let operation = self.operation.as_mut().expect("it moves when this is dropped");
        match next {
            None => Poll::Pending,
            Some(next) => Poll::Ready(next.map(|completion| operation.item(completion))),
        }
    }
}

impl<S: Streaming> Drop for StreamingOp<S> {
    fn drop(&mut self) {
        if let Some(mut operation) = self.operation.take() {
            uring(&self.core).abandon(self.key, move |completion| drop(operation.item(completion)));
        }
    }
}
