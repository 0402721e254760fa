use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use io_uring::squeue;
use trace::OpKind;

use crate::{Driver, Key};

/// Something that the kernel is asked to do, with all that it needs for that.
///
/// See the section "What an operation owns" of chapter 13.
///
/// # Safety
/// Whatever the entry points to is valid until the operation is dropped, also when the operation is
/// moved, and nobody else writes to it, or reads what the kernel writes. A descriptor in the entry
/// stays open until then.
pub unsafe trait Operation: 'static {
    /// What it is called in the trace.
    const KIND: OpKind;

    /// Whether it lends a buffer to the kernel.
    const LENDS: bool = false;

    /// What comes of it.
    type Output;

    /// The entry for the submission queue. Called once.
    fn entry(&mut self) -> squeue::Entry;

    /// Makes the output of the kernel's result. Called once, when the kernel has let go of everything.
    ///
    /// Also called if the future was dropped before: the output is dropped then. So an output has to
    /// clean up after itself. A descriptor is an `OwnedFd`, for example.
    fn complete(self, result: io::Result<u32>) -> Self::Output;
}

/// The future of an operation that the kernel has, or is about to get.
///
/// # Cancel safety
/// Dropping it asks the kernel to give the operation up. It may be too late for that: bytes that were
/// received then are lost, bytes that were sent are sent, and a connection that was accepted is closed.
/// Whatever the operation owns stays with the driver until the kernel has let go of it.
#[must_use = "the operation is cancelled as soon as this is dropped"]
pub struct Op<O: Operation> {
    driver: Rc<Driver>,
    key: Key,
    /// `None` when it is over. It may move while the kernel works on it; what it owns does not.
    operation: Option<O>,
}

/// Nothing that the kernel knows of is inside: it moves like any other value.
impl<O: Operation> Unpin for Op<O> {}

impl<O: Operation> Op<O> {
    pub(crate) fn new(driver: Rc<Driver>, key: Key, operation: O) -> Op<O> {
        Op { driver, key, operation: Some(operation) }
    }
}

impl<O: Operation> Op<O> {
    /// Lets the operation go on without its future. Nobody hears what comes of it.
    pub fn detach(mut self) {
        if let Some(operation) = self.operation.take() {
            self.driver.abandon(self.key, move |result| drop(operation.complete(result)));
        }
    }
}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    /// # Panics
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        assert!(self.operation.is_some(), "an operation was polled after it was ready");
        let Some(result) = self.driver.take_result(self.key, cx.waker()) else {
            return Poll::Pending;
        };
        let operation = self.operation.take().expect("it was there a moment ago");
        Poll::Ready(operation.complete(result))
    }
}

impl<O: Operation> Drop for Op<O> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            // EXERCISE 13.3: What a dropped future leaves behind
            todo!("13.3: move the operation to where it stays alive, and ask for a cancel");
            // END 13.3
        }
    }
}

impl<O: Operation> fmt::Debug for Op<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Op").field("kind", &O::KIND).field("key", &self.key).finish()
    }
}
