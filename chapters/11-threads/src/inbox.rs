use std::task::Waker;

use trace::{Event, emit};

use crate::sync::{Mutex, MutexGuard};

// ANCHOR: inbox
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

    // ANCHOR: push
    /// Leaves a message, and sees to it that the thread wakes up and reads it.
    ///
    /// # Errors
    /// With the message, if the inbox is closed.
    pub fn push(&self, message: T) -> Result<(), T> {
        // ANCHOR: push_body
        let mut messages = self.lock();
        let Some(unread) = messages.as_mut() else {
            return Err(message);
        };
        let is_first = unread.is_empty();
        unread.push(message);
        emit!(Event::InboxPush { first: is_first });
        drop(messages);
        // After the message is there, or the thread could look too early and sleep again. Whoever
        // comes second finds that the first has seen to it.
        if is_first {
            self.unparker.wake_by_ref();
        }
        Ok(())
        // ANCHOR_END: push_body
    }
    // ANCHOR_END: push

    // ANCHOR: take
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
    // ANCHOR_END: take

    fn lock(&self) -> MutexGuard<'_, Option<Vec<T>>> {
        self.messages.lock().expect("nothing panics while it holds the lock of an inbox")
    }
}
// ANCHOR_END: inbox
