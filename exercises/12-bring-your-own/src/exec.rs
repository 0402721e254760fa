use std::fmt;
use std::sync::{Arc, OnceLock};

use ch11_threads::Handle;
use futures::future::BoxFuture;

/// What a library asks for when it needs something done in the background.
///
/// The future is boxed, so that the library can keep any executor as a `dyn Executor` and has no type
/// parameter for it. It is `Send`, because nobody knows on which thread the executor runs it.
///
/// See the section "Who chooses?" of chapter 12.
pub trait Executor: Send + Sync {
    /// Runs a future to its end, some time, somewhere. Returns at once.
    fn execute(&self, future: BoxFuture<'static, ()>);
}

/// Any function that starts a future is an executor: `|future| drop(tokio::spawn(future))`.
impl<F: Fn(BoxFuture<'static, ()>) + Send + Sync> Executor for F {
    fn execute(&self, future: BoxFuture<'static, ()>) {
        self(future);
    }
}

impl Executor for Handle {
    fn execute(&self, future: BoxFuture<'static, ()>) {
        drop(self.spawn(move || future));
    }
}

/// Which executor a part of a library uses: its own, or else the global one, or else that of the thread
/// that asks.
///
/// See the section "Who chooses?" of chapter 12.
#[derive(Clone, Default)]
pub struct Exec(Option<Arc<dyn Executor>>);

static GLOBAL: OnceLock<Arc<dyn Executor>> = OnceLock::new();

impl Exec {
    /// An executor of one's own.
    pub fn own(executor: impl Executor + 'static) -> Exec {
        Exec(Some(Arc::new(executor)))
    }

    /// Has `future` run to its end. Returns at once.
    ///
    /// # Errors
    /// If there is no executor: none of one's own, no global one, and none on this thread. The future
    /// is dropped then.
    pub fn execute(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), NoExecutor> {
        // EXERCISE 12.1: Whose executor?
        todo!("12.1: give the future to one's own executor, or the global one, or the thread's");
        // END 12.1
    }
}

/// Sets the executor of all who have none of their own. A program does this at its start, never a
/// library.
///
/// # Errors
/// If it is set already: it stays as it was.
pub fn set_global(executor: impl Executor + 'static) -> Result<(), AlreadySet> {
    GLOBAL.set(Arc::new(executor)).map_err(|_| AlreadySet)
}

/// Nobody is there to run a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoExecutor;

impl fmt::Display for NoExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no executor: give one with Exec::own, set one with set_global, or call this \
             inside of block_on",
        )
    }
}

impl std::error::Error for NoExecutor {}

/// The global executor was set before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadySet;

impl fmt::Display for AlreadySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the global executor is set already")
    }
}

impl std::error::Error for AlreadySet {}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.0.is_some() { "own" } else { "default" };
        f.debug_tuple("Exec").field(&which).finish()
    }
}
