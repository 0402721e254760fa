//! Finds a runtime by its number, from any thread.
//!
//! A waker is a name, so whoever wakes a task on another thread has to look up where that task's runtime
//! is. Each number has an inbox, which is made when the number is used first, and is never freed: the
//! next runtime with this number uses it again. So there is nothing that could go while somebody looks
//! it up, and a waker that comes too late finds a closed inbox, or wakes a stranger for nothing.
//!
//! Built in chapter 11, section "An inbox".

use std::io;
use std::sync::{Mutex, OnceLock};

use crate::inbox::Inbox;
use crate::task::name::{MAX_RUNTIMES, TaskName};

// ANCHOR: inboxes
/// Each in a place of its own, so that threads which use two of them share no cache line.
static INBOXES: [OnceLock<Box<Inbox>>; MAX_RUNTIMES] = [const { OnceLock::new() }; MAX_RUNTIMES];
// ANCHOR_END: inboxes

static FREE: Mutex<Free> = Mutex::new(Free { used: Vec::new(), unused_from: 0 });

struct Free {
    /// Numbers that were given back.
    used: Vec<usize>,
    /// From here on, no number was ever given away.
    unused_from: usize,
}

/// The number of a runtime, for as long as it lives.
pub(crate) struct Number(usize);

impl Number {
    /// # Errors
    /// If there are as many runtimes as there are numbers.
    pub(crate) fn take() -> io::Result<Number> {
        let mut free = FREE.lock().expect("nothing panics while it holds this lock");
        if let Some(number) = free.used.pop() {
            return Ok(Number(number));
        }
        if free.unused_from == MAX_RUNTIMES {
            let text = format!("there are {MAX_RUNTIMES} runtimes already");
            return Err(io::Error::other(text));
        }
        free.unused_from += 1;
        Ok(Number(free.unused_from - 1))
    }

    pub(crate) fn get(&self) -> usize {
        self.0
    }

    pub(crate) fn inbox(&self) -> &'static Inbox {
        INBOXES[self.0].get_or_init(|| Box::new(Inbox::closed()))
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        self.inbox().close();
        FREE.lock().expect("nothing panics while it holds this lock").used.push(self.0);
    }
}

/// Wakes a task of another thread's runtime.
#[cold]
pub(crate) fn wake_there(task: TaskName) {
    if let Some(inbox) = INBOXES[task.runtime()].get() {
        inbox.wake(task);
    }
}
