use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::JoinError;

/// What a task and its handle share.
struct Shared<T> {
    outcome: RefCell<Outcome<T>>,
    /// Who waits for the outcome.
    joiner: Cell<Option<Waker>>,
    /// Wakes the task, so that it notices that it was aborted.
    task: Cell<Option<Waker>>,
    aborted: Cell<bool>,
}

enum Outcome<T> {
    NotYet,
    Here(Result<T, JoinError>),
    /// It was taken, or the handle has gone and nobody will take it.
    Gone,
}

impl<T> Shared<T> {
    /// Leaves the outcome for the handle, and wakes who waits for it.
    fn finish(&self, result: Result<T, JoinError>) {
        drop(self.task.take());
        if self.is_detached() {
            // Nobody's output. If it panics while it is dropped, nobody wants to know that either.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(result)));
            return;
        }
        *self.outcome.borrow_mut() = Outcome::Here(result);
        // Last of all, and with nothing borrowed: the joiner may look at once.
        if let Some(joiner) = self.joiner.take() {
            joiner.wake();
        }
    }

    fn is_detached(&self) -> bool {
        matches!(*self.outcome.borrow(), Outcome::Gone)
    }
}

/// Starts a task, and returns a handle to its output.
///
/// See the section "The wrapper" of chapter 10.
///
/// # Panics
/// If no executor runs on this thread.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let shared = Rc::new(Shared {
        outcome: RefCell::new(Outcome::NotYet),
        joiner: Cell::new(None),
        task: Cell::new(None),
        aborted: Cell::new(false),
    });
    ch09_fairness::spawn(Joinable { future: Some(Box::pin(future)), shared: shared.clone() });
    JoinHandle { shared }
}

/// The future of a task that can be joined and aborted.
struct Joinable<F: Future> {
    /// `None` from its end on.
    future: Option<Pin<Box<F>>>,
    shared: Rc<Shared<F::Output>>,
}

impl<F: Future> Joinable<F> {
    /// Drops the future, and sets the outcome after that. A panic of that drop is the outcome, then.
    fn end(&mut self, result: Result<F::Output, JoinError>) {
        let future = self.future.take();
        let dropped = catch_unwind(AssertUnwindSafe(move || {
            drop(future);
            result
        }));
        self.shared.finish(dropped.unwrap_or_else(|payload| Err(JoinError::Panicked(payload))));
    }
}

impl<F: Future> Future for Joinable<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.aborted.get() {
            self.end(Err(JoinError::Cancelled));
            return Poll::Ready(());
        }
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        // EXERCISE 10.2: A panic ends its task alone
        todo!("10.2: poll the user's future, and hand over what comes of it");
        // END 10.2
    }
}

impl<F: Future> Drop for Joinable<F> {
    fn drop(&mut self) {
        // Without an end of its own, it is the executor that goes.
        if self.future.is_some() {
            self.end(Err(JoinError::Cancelled));
        }
    }
}

/// A future for the output of a task. Dropping it leaves the task alone: the task is *detached*. For
/// the other policy there is [`AbortOnDrop`].
///
/// See the section "The handle" of chapter 10.
///
/// # Cancel safety
/// A handle that is awaited by reference loses nothing: the output stays until it is taken.
#[must_use = "a handle that is dropped detaches its task: say so with `drop`"]
pub struct JoinHandle<T> {
    shared: Rc<Shared<T>>,
}

impl<T> JoinHandle<T> {
    /// Asks the task to end. Its future is dropped when the executor comes to it, on the executor's
    /// thread. Does nothing if the task has ended.
    ///
    /// See the section "Abort asks" of chapter 10.
    pub fn abort(&self) {
        self.shared.aborted.set(true);
        if let Some(task) = self.shared.task.take() {
            task.wake();
        }
    }

    /// Whether the task has ended: awaiting this handle does not wait.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.shared.outcome.borrow(), Outcome::NotYet)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !self.is_finished() {
            // Anew at each poll: the task that waits may be another one than last time.
            self.shared.joiner.set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        match self.shared.outcome.replace(Outcome::Gone) {
            Outcome::Here(result) => Poll::Ready(result),
            _ => panic!("a JoinHandle was polled after it was ready"),
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // Nobody waits any more, and nobody can abort. Each of the three is dropped after it was
        // taken out: an output runs its own code, and so does a waker.
        drop(self.shared.outcome.replace(Outcome::Gone));
        drop(self.shared.joiner.take());
        drop(self.shared.task.take());
    }
}

/// A [`JoinHandle`] whose task ends when the handle is dropped.
///
/// # Cancel safety
/// Dropping it aborts the task.
#[must_use = "the task is aborted as soon as this is dropped"]
pub struct AbortOnDrop<T>(pub JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}

impl<T> fmt::Debug for AbortOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortOnDrop").field(&self.0).finish()
    }
}
