use std::cell::Cell;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use io_uring::squeue;
use rustix::io::Errno;

use crate::cell::fill;
use crate::driver::Driver;
use crate::driver::epoll::Direction;
use crate::driver::uring::{Slot, Uring};
use crate::net::socket::Socket;
use crate::task::clone_of;
use crate::unwind::contain;

// ANCHOR: operation
/// Something that the kernel is asked to do with a socket, and all that is needed for that.
///
/// A ring is given an entry, and completes it. With epoll, it is attempted whenever the socket is ready.
///
/// Built in chapter 13, section "What an operation owns". What changed: it knows both ways.
///
/// # Safety
/// Whatever the entry points to is valid until the operation is dropped, also when the operation is moved,
/// and nobody else writes to it, or reads what the kernel writes. The descriptor in the entry is that of
/// `socket`, in which the operation shares, so it stays open until then.
pub(crate) unsafe trait Operation: 'static {
    /// What comes of it.
    type Output;

    fn socket(&self) -> &Rc<Socket>;

    /// The readiness to wait for.
    fn direction(&self) -> Direction;

    /// The entry for the submission queue, once for each round.
    fn entry(&mut self) -> squeue::Entry;

    /// Does it here and now. The result is what the kernel would put into a completion.
    ///
    /// # Errors
    /// `AGAIN` if it would block.
    fn attempt(&mut self) -> Result<u32, Errno>;

    /// Whether there is nothing to be done at all.
    fn is_needless(&self) -> bool {
        false
    }

    /// Whether there is another round after this result, which is no error.
    fn goes_on(&mut self, _result: u32) -> bool {
        false
    }

    /// Makes the output of the last result. Called once, when the kernel has let go of everything, also if
    /// the future was dropped before: so an output has to clean up after itself.
    fn complete(self, result: io::Result<u32>) -> Self::Output;
}
// ANCHOR_END: operation

// ANCHOR: op
/// The future of an operation. Its first poll begins it.
///
/// # Cancel safety
/// Dropping it asks the kernel to give the operation up. It may be too late for that. Whatever the operation
/// owns stays with the driver until the kernel has let go of it.
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Op<O: Operation>(
    /// `None` when it is over. `Drop` takes it out in any case.
    ManuallyDrop<Option<Pending<O>>>,
);

/// It may move while the kernel works on it; what the operation owns does not.
struct Pending<O> {
    operation: O,
    /// While a ring has it.
    slot: Option<Rc<Slot>>,
}
// ANCHOR_END: op

/// Nothing that the kernel knows of is inside: it moves like any other value.
impl<O: Operation> Unpin for Op<O> {}

/// The ring that a socket is for.
#[inline]
pub(super) fn uring(socket: &Socket) -> &Uring {
    match &socket.core.driver {
        Driver::Uring(uring) => uring,
        Driver::Epoll(_) => unreachable!("only a ring has operations in flight"),
    }
}

impl<O: Operation> Op<O> {
    pub(crate) fn new(operation: O) -> Op<O> {
        Op(ManuallyDrop::new(Some(Pending { operation, slot: None })))
    }

    /// Whether it is done, and the next poll is ready. Unlike a poll, this leaves alone who waits for it.
    pub(crate) fn has_landed(&self) -> bool {
        let slot = self.0.as_ref().and_then(|pending| pending.slot.as_ref());
        slot.is_some_and(|slot| slot.has_landed())
    }

    #[inline(always)]
    fn over(&mut self) -> O {
        let Pending { operation, slot } = self.0.take().expect("it is not over");
        debug_assert!(slot.is_none(), "it has landed");
        // So it need not be dropped.
        mem::forget(slot);
        operation
    }

    /// The operation goes where it stays alive until its completion.
    #[cold]
    fn abandon(&mut self) {
        // It may not have begun.
        let Some(Pending { operation, slot: Some(slot) }) = self.0.take() else { return };
        let socket = operation.socket().clone();
        let mut operation = Some(operation);
        uring(&socket).abandon(&slot, move |completion| {
            let operation = operation.take();
            let finish = move || drop(operation.map(|it| it.complete(completion.result())));
            // Nobody wants the output. If it panics while it is dropped, nobody wants to know that either:
            // the other operations have to be seen to.
            contain(finish);
        });
    }
}

impl<O: Operation> Pending<O> {
    // ANCHOR: poll_round
    /// The result is that of a completion: a negative one is the number of an error.
    #[inline(always)]
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<i32> {
        let Pending { operation, slot } = self;
        if let Some(flying) = slot {
            let Some(completion) = flying.take(cx.waker()) else { return Poll::Pending };
            let free = slot.take().expect("it was there a moment ago");
            operation.socket().keep_slot(operation.direction(), free);
            return Poll::Ready(completion.result);
        }
        if operation.is_needless() {
            return Poll::Ready(0);
        }
        if let Driver::Epoll(_) = operation.socket().core.driver {
            return poll_attempt(operation, cx);
        }
        // Cloning it may run any code, and may panic: nothing is taken out meanwhile.
        let waker = clone_of(cx.waker());
        let entry = operation.entry();
        let (ring, direction) = (uring(operation.socket()), operation.direction());
        let free = operation.socket().slot(direction).unwrap_or_else(|| ring.new_slot());
        // SAFETY: what the entry points to is valid until the operation is dropped, as its type promises.
        // It is dropped when it has landed, and otherwise `abandon` keeps it until then.
        match unsafe { ring.submit(entry, &free, waker) } {
            Ok(()) => {
                fill(Cell::from_mut(slot), free);
                Poll::Pending
            }
            Err(error) => {
                operation.socket().keep_slot(direction, free);
                Poll::Ready(-error.raw_os_error())
            }
        }
    }
    // ANCHOR_END: poll_round
}

#[cold]
fn failed(result: i32) -> io::Error {
    io::Error::from_raw_os_error(-result)
}

/// Attempts an operation as soon as its socket is ready, until it does not block.
fn poll_attempt<O: Operation>(operation: &mut O, cx: &mut Context<'_>) -> Poll<i32> {
    let direction = operation.direction();
    loop {
        let readiness = operation.socket().readiness().expect("the caller has looked");
        if ready!(readiness.poll_ready(direction, cx)).is_err() {
            return Poll::Ready(-Errno::CANCELED.raw_os_error());
        }
        match operation.attempt() {
            Ok(result) => return Poll::Ready(result as i32),
            Err(Errno::AGAIN) => {
                operation.socket().readiness().expect("it stays").clear(direction);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Poll::Ready(-error.raw_os_error()),
        }
    }
}

impl<O: Operation> Future for Op<O> {
    type Output = O::Output;

    /// # Panics
    /// If it is polled after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        let pending = self.0.as_mut().expect("an operation was polled after it was ready");
        loop {
            let result = ready!(pending.poll_round(cx));
            let Ok(result) = u32::try_from(result) else {
                return Poll::Ready(self.over().complete(Err(failed(result))));
            };
            if !pending.operation.goes_on(result) {
                return Poll::Ready(self.over().complete(Ok(result)));
            }
        }
    }
}

impl<O: Operation> Drop for Op<O> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            self.abandon();
        }
    }
}
