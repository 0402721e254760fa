use std::rc::Rc;

use ch05_executor::Scheduler;
use futures::task::LocalFutureObj;

/// What an executor's loop asks of whoever holds its tasks. Chapter 5's [`Scheduler`] does here;
/// chapter 11 puts another one in its place.
pub trait Tasks {
    /// Makes a task of a future, and queues it for its first poll.
    fn spawn(self: Rc<Self>, future: LocalFutureObj<'static, ()>);

    /// Polls the task that was queued first. Returns `false` if none is queued.
    ///
    /// # Panics
    /// If the task panics. It has ended then, and the others are as they were.
    fn run_next(&self) -> bool;

    /// Whether no task is queued.
    fn is_idle(&self) -> bool;

    /// Ends every task, in the order of their spawning, and drops their futures.
    fn cancel_all(&self);
}

impl Tasks for Scheduler {
    fn spawn(self: Rc<Self>, future: LocalFutureObj<'static, ()>) {
        Scheduler::spawn(&self, future);
    }

    fn run_next(&self) -> bool {
        Scheduler::run_next(self)
    }

    fn is_idle(&self) -> bool {
        Scheduler::is_idle(self)
    }

    fn cancel_all(&self) {
        Scheduler::cancel_all(self);
    }
}
