use std::fmt;

use crate::context;
use crate::inbox::Inbox;
use crate::task::remote::{assert_may_block, remote};
use crate::task::{JoinError, RemoteHandle};

/// Reaches a runtime from any thread.
///
/// Built in chapter 11, section "From sync to async".
#[derive(Clone)]
pub struct Handle {
    inbox: &'static Inbox,
    /// Tells this runtime from later ones with the same number.
    generation: u64,
}

impl Handle {
    pub(crate) fn new(inbox: &'static Inbox) -> Handle {
        Handle { inbox, generation: inbox.generation() }
    }

    /// The handle of the runtime that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn current() -> Handle {
        context::with(|core| core.handle())
    }

    /// The handle of the runtime that runs on this thread, if one does.
    pub fn try_current() -> Option<Handle> {
        context::try_with(|core| core.handle())
    }

    /// Starts a task on the runtime's thread. `make` travels there and makes the future, so the future
    /// itself need not be `Send`.
    ///
    /// The task starts when the runtime is in `block_on`, and not before. If the runtime goes first, the
    /// handle says that it was cancelled.
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> RemoteHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (outcome, handle) = remote();
        let start = Box::new(move || {
            let task = crate::spawn(async move { make().await });
            drop(crate::spawn(async move { outcome.set(task.await) }));
        });
        // A closed inbox gives the call back. Dropping it tells the handle.
        drop(self.inbox.call(self.generation, start));
        handle
    }

    /// Runs a future on the runtime's thread, and keeps this thread until it is done: the way from code
    /// that is not async to code that is.
    ///
    /// # Errors
    /// If the future panicked, or the runtime went before its end.
    ///
    /// # Panics
    /// If this thread runs a runtime.
    #[track_caller]
    pub fn block_on<F>(
        &self,
        make: impl FnOnce() -> F + Send + 'static,
    ) -> Result<F::Output, JoinError>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        // Before anything is started.
        assert_may_block();
        self.spawn(make).join()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
