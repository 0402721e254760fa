use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Wakes its own task and is pending, once: lets the tasks that are queued already run.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// A future that counts its polls, gives its waker away, and is ready when it is told to. Its clones
/// are the same probe.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// How often it was polled.
    pub polls: Rc<Cell<usize>>,
    /// Whether the next poll is ready.
    pub done: Rc<Cell<bool>>,
    /// The waker of the last poll.
    pub kept: Rc<RefCell<Option<Waker>>>,
}

impl Future for Probe {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.set(self.polls.get() + 1);
        let waker = cx.waker().clone();
        let previous = self.kept.replace(Some(waker));
        drop(previous);
        if self.done.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Probe {
    /// A clone of the waker of the last poll.
    ///
    /// # Panics
    /// If it was not polled yet.
    pub fn waker(&self) -> Waker {
        self.kept.borrow().clone().expect("the probe has been polled")
    }
}
