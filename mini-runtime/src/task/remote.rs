use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::{JoinError, wake};
use crate::context;

/// A future for the output of what runs on another thread: a task of another runtime, or a closure of the
/// blocking pool. Dropping it leaves that alone.
///
/// Built in chapter 11, section "A channel for one value".
///
/// # Cancel safety
/// A handle that is awaited by reference loses nothing: the output stays until it is taken.
#[must_use = "the output is lost when this is dropped"]
pub struct RemoteHandle<T>(Arc<Shared<T>>);

/// Where the output is put in. Dropped without that, it says that there is none: the work was cancelled.
pub(crate) struct Outcome<T>(Arc<Shared<T>>);

struct Shared<T>(Mutex<State<T>>);

enum State<T> {
    /// Nothing yet. Holds who waits.
    Waiting(Option<Waker>),
    /// Here, until it is fetched. `None` if it was.
    Over(Option<Result<T, JoinError>>),
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("nothing panics while it holds the lock of an outcome")
    }

    fn finish(&self, result: Result<T, JoinError>) {
        let mut state = self.lock();
        let State::Waiting(waker) = &mut *state else { return };
        let waker = waker.take();
        *state = State::Over(Some(result));
        // Waking runs code that we do not know.
        drop(state);
        wake(waker);
    }
}

/// A handle, and the end at which the outcome is put in.
pub(crate) fn remote<T>() -> (Outcome<T>, RemoteHandle<T>) {
    let shared = Arc::new(Shared(Mutex::new(State::Waiting(None))));
    (Outcome(shared.clone()), RemoteHandle(shared))
}

/// # Panics
/// If this thread runs a runtime.
#[track_caller]
pub(crate) fn assert_may_block() {
    assert!(
        !context::is_entered(),
        "this thread runs a runtime, which would be blocked: await the handle instead"
    );
}

impl<T> Outcome<T> {
    pub(crate) fn set(self, result: Result<T, JoinError>) {
        self.0.finish(result);
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        // After `set`, this finds it over and leaves it alone.
        if matches!(*self.0.lock(), State::Waiting(_)) {
            self.0.finish(Err(JoinError::cancelled()));
        }
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloned and dropped unlocked, and registered under the lock.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        match &mut *state {
            State::Over(result) => {
                let result = result.take();
                drop(state);
                Poll::Ready(result.expect("a RemoteHandle was polled after it was ready"))
            }
            State::Waiting(waiting) => {
                let before = waiting.replace(waker);
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }
}

impl<T> RemoteHandle<T> {
    /// Waits for the output, and keeps the thread meanwhile: for threads that run no runtime.
    ///
    /// # Errors
    /// If it panicked, or was cancelled before its end.
    ///
    /// # Panics
    /// - If this thread runs a runtime, whose tasks would all wait, too.
    /// - If the handle was awaited, and has given its output away.
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        struct Unpark(Thread);

        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }

        assert_may_block();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            // The thread may be unparked by others, too: only the output counts.
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<T> Drop for RemoteHandle<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let State::Waiting(waiting) = &mut *state else { return };
        // Nobody waits any more. The work may go on for long, and would keep the waker, and whatever that owns.
        let waiting = waiting.take();
        drop(state);
        drop(waiting);
    }
}

impl<T> fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle").finish_non_exhaustive()
    }
}
