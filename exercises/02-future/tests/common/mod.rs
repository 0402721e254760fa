//! A future that writes down what is done to it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    fn note(&self, name: &str, what: &str) {
        self.0.borrow_mut().push(format!("{name} {what}"));
    }
}

/// Is `Pending` a given number of times, and then `Ready` with its name. Notes each poll and its
/// own drop, keeps the last waker it was given, and panics if it is polled once too often.
pub struct Spy {
    name: &'static str,
    pending: u32,
    done: bool,
    log: Log,
    waker: Rc<RefCell<Option<Waker>>>,
}

pub fn spy(name: &'static str, pending: u32, log: &Log) -> Spy {
    Spy { name, pending, done: false, log: log.clone(), waker: Rc::default() }
}

impl Spy {
    /// Where it keeps the waker of its last poll.
    pub fn waker(&self) -> Rc<RefCell<Option<Waker>>> {
        self.waker.clone()
    }
}

impl Future for Spy {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        assert!(!self.done, "{} was polled after it was ready", self.name);
        self.waker.replace(Some(cx.waker().clone()));
        if self.pending == 0 {
            self.done = true;
            self.log.note(self.name, "ready");
            return Poll::Ready(self.name);
        }
        self.pending -= 1;
        self.log.note(self.name, "pending");
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Spy {
    fn drop(&mut self) {
        self.log.note(self.name, "dropped");
    }
}
