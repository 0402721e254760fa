use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use io_uring::squeue;

use super::Uring;
use crate::driver::Driver;
use crate::runtime::Core;
use crate::slab::Key;

/// Something that the kernel is asked to do, with all that it needs for that.
///
/// Built in chapter 13, section "What an operation owns".
///
/// # Safety
/// Whatever the entry points to is valid until the operation is dropped, also when the operation is moved,
/// and nobody else writes to it, or reads what the kernel writes. A descriptor in the entry stays open
/// until then.
pub(crate) unsafe trait Operation: 'static {
    /// What comes of it.
    type Output;

    /// The entry for the submission queue. Called once.
    fn entry(&mut self) -> squeue::Entry;

    /// Makes the output of the kernel's result. Called once, when the kernel has let go of everything, also
    /// if the future was dropped before: so an output has to clean up after itself.
    fn complete(self, result: io::Result<u32>) -> Self::Output;
}

/// The future of an operation that the kernel has, or is about to get.
///
/// # Cancel safety
/// Dropping it asks the kernel to give the operation up. It may be too late for that. Whatever the operation
/// owns stays with the driver until the kernel has let go of it.
pub(crate) struct Op<O: Operation> {
    core: Rc<Core>,
    key: Key,
    /// `None` when it is over. It may move while the kernel works on it; what it owns does not.
    operation: Option<O>,
}

/// Nothing that the kernel knows of is inside: it moves like any other value.
impl<O: Operation> Unpin for Op<O> {}

fn uring(core: &Core) -> &Uring {
    match &core.driver {
        Driver::Uring(uring) => uring,
        Driver::Epoll(_) => unreachable!("operations are for rings"),
    }
}

impl<O: Operation> Op<O> {
    /// # Panics
    /// If the runtime does not sleep on a ring.
    pub(crate) fn submit(core: &Rc<Core>, mut operation: O) -> Op<O> {
        let entry = operation.entry();
        // SAFETY: what the entry points to is valid until the operation is dropped, as its type promises.
        // It is dropped when it has landed, and otherwise `abandon` keeps it until then.
        let key = unsafe { uring(core).submit(entry, false) };
        Op { core: core.clone(), key, operation: Some(operation) }
    }
}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    /// # Panics
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        assert!(self.operation.is_some(), "an operation was polled after it was ready");
        let Some(completion) = uring(&self.core).take(self.key, cx.waker()) else {
            return Poll::Pending;
        };
        let operation = self.operation.take().expect("it was there a moment ago");
        Poll::Ready(operation.complete(completion.result()))
    }
}

impl<O: Operation> Drop for Op<O> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation.take() {
            let mut operation = Some(operation);
            // The operation goes where it stays alive until its completion.
            uring(&self.core).abandon(self.key, move |completion| {
                let operation = operation.take();
                let finish = move || drop(operation.map(|it| it.complete(completion.result())));
                // Nobody wants the output. If it panics while it is dropped, nobody wants to know that
                // either: the other operations have to be seen to.
                drop(catch_unwind(AssertUnwindSafe(finish)));
            });
        }
    }
}
