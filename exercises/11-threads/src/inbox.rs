use std::task::Waker;

use trace::{Event, emit};

use crate::sync::{Mutex, MutexGuard};

/// How other threads reach a thread that runs an executor: messages, and an unpark for the first.
///
/// See the section "An inbox" of chapter 11.
pub struct Inbox<T> {
    /// `None` when it is closed: nobody will read any more.
    messages: Mutex<Option<Vec<T>>>,
    unparker: Waker,
}

impl<T> Inbox<T> {
    /// An empty inbox for the thread that `unparker` wakes.
    pub fn new(unparker: Waker) -> Inbox<T> {
        Inbox { messages: Mutex::new(Some(Vec::new())), unparker }
    }

    /// Leaves a message, and sees to it that the thread wakes up and reads it.
    ///
    /// # Errors
    /// With the message, if the inbox is closed.
    pub fn push(&self, message: T) -> Result<(), T> {
        // EXERCISE 11.1: Leave a message
        todo!("11.1: leave the message, and unpark the thread if nobody else has seen to that");
        // END 11.1
    }

    /// Takes out all messages, oldest first. The next one to come unparks the thread again.
    pub fn take_all(&self) -> Vec<T> {
        let mut messages = self.lock();
        let unread = messages.as_mut().map(std::mem::take).unwrap_or_default();
        emit!(Event::InboxTake { count: unread.len() });
        unread
    }

    /// Takes no messages any more. Returns those that nobody has read.
    pub fn close(&self) -> Vec<T> {
        self.lock().take().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<T>>> {
        self.messages.lock().expect("nothing panics while it holds the lock of an inbox")
    }
}
