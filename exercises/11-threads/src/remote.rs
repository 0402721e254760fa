use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use ch05_executor::is_entered;
use ch10_join_cancel::JoinError;

use crate::oneshot;

/// A future for the output of what runs elsewhere: a closure on a [`Pool`](crate::Pool), or a task on
/// another thread's executor. Dropping it leaves that alone.
///
/// See the section "Work that blocks" of chapter 11.
///
/// # Cancel safety
/// A handle that is awaited by reference loses nothing: the output stays until it is taken.
#[must_use = "the output is lost when this is dropped"]
pub struct RemoteHandle<T>(oneshot::Receiver<Result<T, JoinError>>);

/// What runs elsewhere sends its outcome here.
pub(crate) type Outcome<T> = oneshot::Sender<Result<T, JoinError>>;

/// A handle, and the end at which the outcome is put in.
pub(crate) fn remote<T>() -> (Outcome<T>, RemoteHandle<T>) {
    let (sender, receiver) = oneshot::channel();
    (sender, RemoteHandle(receiver))
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(cx);
        outcome.map(|sent| sent.unwrap_or(Err(JoinError::Cancelled)))
    }
}

impl<T> RemoteHandle<T> {
    /// Waits for the output, and keeps the thread meanwhile: for threads that run no executor.
    ///
    /// # Errors
    /// If it panicked, or was cancelled before its end.
    ///
    /// # Panics
    /// If this thread runs an executor, whose tasks would all wait, too.
    pub fn join(self) -> Result<T, JoinError> {
        assert!(
            !is_entered(),
            "this thread runs an executor, which would be blocked: await the handle instead"
        );
        ch03_block_on::block_on(self)
    }
}

impl<T> fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle").finish_non_exhaustive()
    }
}
