use std::sync::Arc;
use std::task::Wake;

use trace::{Cause, Event, TaskId, emit};

use crate::inbox::Inbox;
use crate::tasks;
use crate::woken::Woken;

/// What reaches an executor from other threads.
pub(crate) enum Message {
    /// This task was woken.
    Wake(Arc<Header>),
    /// Run this on the executor's thread.
    Run(Box<dyn FnOnce() + Send>),
}

/// The half of a task that travels: all that a waker needs, and nothing of the future.
///
/// The standard library makes a `Waker` of an `Arc` of this. Cloning counts up, dropping counts
/// down, on whatever thread, and whoever comes last frees these few words, not the task.
pub(crate) struct Header {
    pub(crate) id: TaskId,
    pub(crate) woken: Woken,
    /// The way home.
    inbox: Arc<Inbox<Message>>,
}

impl Header {
    pub(crate) fn new(id: TaskId, inbox: Arc<Inbox<Message>>) -> Arc<Header> {
        Arc::new(Header { id, woken: Woken::new(), inbox })
    }
}

impl Wake for Header {
    fn wake(self: Arc<Self>) {
        emit!(Event::Wake { task: self.id, by: Cause::Outside });
        // EXERCISE 11.2: Wake, from anywhere
        todo!("11.2: see to it that the task is polled: by the queue at home, by the inbox abroad, and once for many wakes");
        // END 11.2
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}
