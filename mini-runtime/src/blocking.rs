//! Threads for work that blocks. Built in chapter 11, section "Work that blocks".

mod workers;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use self::workers::Limits;
use self::workers::Workers;
use crate::task::remote::remote;
use crate::task::{JoinError, RemoteHandle};

/// The threads of a runtime, and how the output of their work comes back.
pub(crate) struct Pool(Workers);

impl Pool {
    pub(crate) fn new(limits: Limits) -> Pool {
        Pool(Workers::new(limits))
    }

    /// # Panics
    /// If the pool has no thread, and the system gives it none.
    #[track_caller]
    pub(crate) fn spawn<T>(&self, work: impl FnOnce() -> T + Send + 'static) -> RemoteHandle<T>
    where
        T: Send + 'static,
    {
        let (outcome, handle) = remote();
        let job = Box::new(move || {
            outcome.set(catch_unwind(AssertUnwindSafe(work)).map_err(JoinError::panicked));
        });
        if let Err(error) = self.0.push(job) {
            panic!("no thread for the blocking work could be started: {error}");
        }
        handle
    }
}
