use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use io_uring::squeue;
use rustix::io::Errno;

use crate::driver::Driver;
use crate::driver::epoll::Direction;
use crate::driver::uring::Uring;
use crate::net::socket::Socket;
use crate::slab::Key;
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
pub(crate) struct Op<O: Operation> {
    /// `None` when it is over. It may move while the kernel works on it; what it owns does not.
    operation: Option<O>,
    /// While a ring has it.
    key: Option<Key>,
}
// ANCHOR_END: op

/// Nothing that the kernel knows of is inside: it moves like any other value.
impl<O: Operation> Unpin for Op<O> {}

/// The ring that a socket is for.
pub(super) fn uring(socket: &Socket) -> &Uring {
    match &socket.core.driver {
        Driver::Uring(uring) => uring,
        Driver::Epoll(_) => unreachable!("only a ring has operations in flight"),
    }
}

impl<O: Operation> Op<O> {
    pub(crate) fn new(operation: O) -> Op<O> {
        Op { operation: Some(operation), key: None }
    }

    /// Whether it is done, and the next poll is ready. Unlike a poll, this leaves alone who waits for it.
    pub(crate) fn has_landed(&self) -> bool {
        let operation = self.operation.as_ref().zip(self.key);
        operation.is_some_and(|(operation, key)| uring(operation.socket()).has_landed(key))
    }

    // ANCHOR: poll_round
    /// The result is that of a completion: a negative one is the number of an error.
    #[inline(always)]
    fn poll_round(&mut self, cx: &mut Context<'_>) -> Poll<i32> {
        let operation = self.operation.as_mut();
        let operation = operation.expect("an operation was polled after it was ready");
        if let Some(key) = self.key {
            let taken = uring(operation.socket()).take(key, cx.waker());
            let Some(completion) = taken else { return Poll::Pending };
            self.key = None;
            return Poll::Ready(completion.result);
        }
        if operation.is_needless() {
            return Poll::Ready(0);
        }
        if operation.socket().readiness().is_some() {
            return poll_attempt(operation, cx);
        }
        let entry = operation.entry();
        // SAFETY: what the entry points to is valid until the operation is dropped, as its type promises.
        // It is dropped when it has landed, and otherwise `abandon` keeps it until then.
        match unsafe { uring(operation.socket()).submit(entry, cx.waker().clone(), false) } {
            Ok(key) => {
                self.key = Some(key);
                Poll::Pending
            }
            Err(error) => Poll::Ready(-error.raw_os_error()),
        }
    }
    // ANCHOR_END: poll_round

    #[cold]
    fn failed(&mut self, result: i32) -> O::Output {
        let operation = self.operation.take().expect("it has just had a round");
        operation.complete(Err(io::Error::from_raw_os_error(-result)))
    }
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
        loop {
            let result = ready!(self.poll_round(cx));
            let Ok(result) = u32::try_from(result) else {
                return Poll::Ready(self.failed(result));
            };
            let operation = self.operation.as_mut().expect("it has just had a round");
            if !operation.goes_on(result) {
                let operation = self.operation.take().expect("it was there a moment ago");
                return Poll::Ready(operation.complete(Ok(result)));
            }
        }
    }
}

impl<O: Operation> Drop for Op<O> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        if let Some(operation) = self.operation.take() {
            abandon(key, operation);
        }
    }
}

/// The operation goes where it stays alive until its completion.
#[cold]
fn abandon<O: Operation>(key: Key, operation: O) {
    let socket = operation.socket().clone();
    let mut operation = Some(operation);
    uring(&socket).abandon(key, move |completion| {
        let operation = operation.take();
        let finish = move || drop(operation.map(|it| it.complete(completion.result())));
        // Nobody wants the output. If it panics while it is dropped, nobody wants to know that either: the
        // other operations have to be seen to.
        contain(finish);
    });
}
