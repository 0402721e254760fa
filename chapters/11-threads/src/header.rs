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

// ANCHOR: header
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
// ANCHOR_END: header

// ANCHOR: wake
impl Wake for Header {
    fn wake(self: Arc<Self>) {
        emit!(Event::Wake { task: self.id, by: Cause::Outside });
        // ANCHOR: wake_body
        if !self.woken.set() {
            return;
        }
        if let Some(tasks) = tasks::at_home(&self.inbox) {
            tasks.enqueue(self);
        } else {
            let inbox = self.inbox.clone();
            // A closed inbox gives the message back: nobody is left to poll the task.
            drop(inbox.push(Message::Wake(self)));
        }
        // ANCHOR_END: wake_body
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}
// ANCHOR_END: wake
