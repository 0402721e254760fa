use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use futures::task::LocalFutureObj;
use trace::{Cause, Event, TaskId, emit};

use crate::traced::TracedPoll;
use crate::waker;

/// Decides what happens to a task that was woken.
///
/// See the section "A task" of chapter 4.
pub trait Schedule {
    /// Takes the woken task, to have it polled some time.
    ///
    /// Called from inside a wake, possibly while the task itself is being polled.
    fn schedule(&self, task: Rc<Task>);
}

/// A future, and what is needed to poll it again when it is woken.
///
/// See the section "A task" of chapter 4.
pub struct Task {
    id: TaskId,
    /// The only thread that may touch the reference count.
    pub(crate) owner: ThreadId,
    /// `None` while the future is being polled, and from its end on.
    future: Cell<Option<LocalFutureObj<'static, ()>>>,
    /// Weak, because a scheduler holds tasks: two strong sides would keep each other alive.
    schedule: Weak<dyn Schedule>,
    /// The `Rc` counts every holder of the task; this counts the wakers among them.
    wakers: Cell<usize>,
}

impl Task {
    /// Makes a task of a future. Nobody polls it yet: hand it to its scheduler for that.
    ///
    /// `LocalFutureObj` is a boxed future as `futures::task::LocalSpawn` takes it;
    /// `Box::pin(future).into()` makes one.
    pub fn new(
        id: TaskId,
        future: LocalFutureObj<'static, ()>,
        schedule: Weak<dyn Schedule>,
    ) -> Rc<Task> {
        emit!(Event::Spawn { task: id });
        Rc::new(Task {
            id,
            owner: thread::current().id(),
            future: Cell::new(Some(future)),
            schedule,
            wakers: Cell::new(0),
        })
    }

    /// The number that the task was made with.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// How many wakers of this task exist now. With none of them left, nothing can wake it.
    pub fn wakers(&self) -> usize {
        self.wakers.get()
    }

    /// Polls the future once, with a waker of this task.
    ///
    /// A future that is done is dropped right here, and never polled again: for a task that has
    /// ended this returns `Ready` and does nothing. (This is what mends fault S2.) It does nothing,
    /// and returns `Ready`, if it is the task's own poll that calls it, too.
    ///
    /// See the section "The future steps out" of chapter 4.
    ///
    /// # Panics
    /// If the future panics. The future is dropped then, and the task has ended.
    pub fn poll(self: &Rc<Self>) -> Poll<()> {
        // EXERCISE 04.4: Poll a future outside of its cell
        todo!("04.4: take the future out of its cell, poll it, and put it back if it is pending");
        // END 04.4
    }

    /// Polls a future that is out of its cell, and records that.
    fn poll_with_waker(self: &Rc<Self>, future: &mut LocalFutureObj<'static, ()>) -> Poll<()> {
        let traced = TracedPoll::start(self);
        let _cause = trace::caused_by(Cause::Task(self.id));
        let waker = waker(self.clone());
        let poll = Pin::new(future).poll(&mut Context::from_waker(&waker));
        drop(waker);
        traced.end(poll);
        poll
    }

    /// Drops the future, wherever it stands, and thereby ends the task. Does nothing if the task
    /// has ended, or if it is the task's own poll that calls this.
    ///
    /// # Panics
    /// If dropping the future panics.
    pub fn cancel(&self) {
        if let Some(future) = self.future.take() {
            self.drop_future(future);
        }
    }

    fn drop_future(&self, future: LocalFutureObj<'static, ()>) {
        emit!(Event::TaskDrop { task: self.id });
        drop(future);
    }

    /// What a waker of this task does: hands the task to its scheduler, if there still is one.
    pub(crate) fn wake(self: Rc<Self>) {
        emit!(Event::Wake { task: self.id, by: Cause::Outside });
        if let Some(schedule) = self.schedule.upgrade() {
            schedule.schedule(self);
        }
    }

    pub(crate) fn count_waker(&self) {
        emit!(Event::WakerClone { task: self.id });
        self.wakers.set(self.wakers.get() + 1);
    }

    pub(crate) fn discount_waker(&self) {
        emit!(Event::WakerDrop { task: self.id });
        self.wakers.set(self.wakers.get() - 1);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).field("wakers", &self.wakers).finish()
    }
}
