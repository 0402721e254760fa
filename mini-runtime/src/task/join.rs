use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::JoinError;
use super::raw::{State, TaskRef};

/// A future for the output of a task. Dropping it leaves the task alone: the task is *detached*.
///
/// Built in chapter 10, section "The handle". There it was a wrapper with an allocation of its own; here
/// the output takes the future's place in the task.
///
/// # Cancel safety
/// A handle that is awaited by reference loses nothing: the output stays until it is taken.
#[must_use = "a handle that is dropped detaches its task: say so with `drop`"]
pub struct JoinHandle<T> {
    /// `None` when the output was taken.
    task: Option<TaskRef>,
    _output: PhantomData<T>,
}

/// Nothing of the output is pinned.
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// # Safety
    /// `T` is the output of the task's future, and no other handle of the task exists.
    pub(crate) unsafe fn new(task: TaskRef) -> JoinHandle<T> {
        JoinHandle { task: Some(task), _output: PhantomData }
    }

    /// Asks the task to end. Its future is dropped when the executor comes to it. Does nothing if the task
    /// has ended.
    pub fn abort(&self) {
        if let Some(task) = &self.task
            && !self.is_finished()
        {
            task.is_aborted.set(true);
            task.name.get().waker().wake_by_ref();
        }
    }

    /// Whether the task has ended: awaiting this handle does not wait.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.state.get() == State::Done)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// If it is polled after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task.as_ref().expect("a JoinHandle was polled after it was ready");
        if task.state.get() != State::Done {
            task.set_joiner(cx.waker());
            // Cloning a waker may run any code, also such as ends this task.
            if task.state.get() != State::Done {
                return Poll::Pending;
            }
            // The task may be queued once more, and would drop it in the middle of the executor.
            task.forget_joiner();
        }
        // SAFETY: the task is done, `T` is its output, and only its one handle takes that, once.
        let output = unsafe { task.take_output() };
        let task = self.task.take();
        drop(task);
        Poll::Ready(output)
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let Some(task) = &self.task else { return };
        task.forget_joiner();
        if task.state.get() == State::Done {
            // SAFETY: the task is done, `T` is its output, and this is its one handle.
            drop(unsafe { task.take_output::<T>() });
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}
