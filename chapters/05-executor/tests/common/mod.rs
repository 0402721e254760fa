//! Futures that the tests of this chapter share.

#![allow(dead_code, reason = "each test file uses another part")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Lets everybody else run once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// A future that counts its polls, gives its waker away, and is ready when it is told to.
#[derive(Clone, Default)]
pub struct Probe {
    pub polls: Rc<Cell<usize>>,
    pub done: Rc<Cell<bool>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Probe {
    /// The waker of the last poll.
    pub fn waker(&self) -> Waker {
        let waker = self.waker.borrow();
        waker.clone().expect("the probe has been polled")
    }
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.polls.set(self.polls.get() + 1);
        drop(self.waker.replace(Some(context.waker().clone())));
        if self.done.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What a panic said.
pub fn panic_text(body: impl FnOnce()) -> String {
    let body = std::panic::AssertUnwindSafe(body);
    let panic = std::panic::catch_unwind(body).expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a panic with text").to_string(),
    }
}
