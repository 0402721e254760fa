use std::fmt;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use ch10_join_cancel::JoinError;
use futures::FutureExt;
use scoped_tls::scoped_thread_local;

use crate::header::Message;
use crate::inbox::Inbox;
use crate::remote::remote;
use crate::{Pool, RemoteHandle};

scoped_thread_local!(static CURRENT: Rc<Current>);

/// What is found on a thread that runs an executor of this chapter.
pub(crate) struct Current {
    pub(crate) handle: Handle,
    pub(crate) pool: Pool,
}

pub(crate) fn enter<R>(current: &Rc<Current>, body: impl FnOnce() -> R) -> R {
    CURRENT.set(current, body)
}

fn current() -> Rc<Current> {
    assert!(
        CURRENT.is_set(),
        "this was called outside of block_on: no executor of chapter 11 runs on this thread"
    );
    CURRENT.with(Rc::clone)
}

/// Reaches an executor from any thread.
///
/// See the section "From sync to async" of chapter 11.
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<Inbox<Message>>,
}

impl Handle {
    pub(crate) fn new(inbox: Arc<Inbox<Message>>) -> Handle {
        Handle { inbox }
    }

    /// The handle of the executor that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    pub fn current() -> Handle {
        current().handle.clone()
    }

    /// The handle of the executor that runs on this thread, if one does.
    pub fn try_current() -> Option<Handle> {
        CURRENT.is_set().then(Handle::current)
    }

    /// Starts a task on the executor's thread. `make` travels there and makes the future, so the future
    /// itself need not be `Send`.
    ///
    /// The task starts when the executor is in `block_on`, and not before. If the executor goes first,
    /// the handle says `Cancelled`.
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> RemoteHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (outcome, handle) = remote();
        let start = Box::new(move || {
            let future = AssertUnwindSafe(async move { make().await }).catch_unwind();
            // Chapter 10's task, because that one ends alone if the output panics on its way out.
            drop(ch10_join_cancel::spawn(async move {
                let result = future.await.map_err(JoinError::Panicked);
                // If nobody waits for it any more, this drops it.
                drop(outcome.send(result));
            }));
        });
        // A closed inbox gives the message back. Dropping it tells the handle.
        drop(self.inbox.push(Message::Run(start)));
        handle
    }

    /// Runs a future on the executor's thread, and keeps this thread until it is done: the way from
    /// code that is not async to code that is.
    ///
    /// # Errors
    /// If the future panicked, or the executor went before its end.
    ///
    /// # Panics
    /// If this thread runs an executor.
    pub fn block_on<F>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<F::Output, JoinError>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(make).join()
    }
}

/// Runs `work` on a thread of the executor's pool, where it may block: the way from async code to code
/// that is not.
///
/// See the section "Work that blocks" of chapter 11.
///
/// # Panics
/// If no executor of this chapter runs on this thread, or as [`Pool::spawn`] does.
pub fn spawn_blocking<T>(work: impl FnOnce() -> T + Send + 'static) -> RemoteHandle<T>
where
    T: Send + 'static,
{
    current().pool.spawn(work)
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
