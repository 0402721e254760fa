use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Gives the thread to everybody else once: to all tasks that are queued, and to what the park has to
/// say.
///
/// Waking itself would put the task at the end of the queue. That is fair to the other tasks, but not
/// to the sockets and the clock. On an executor of another chapter, this is what it does.
///
/// See the section "Yield" of chapter 9.
///
/// # Cancel safety
/// Dropping the future leaves one wake behind, which polls the task for nothing.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        // EXERCISE 09.2: Yield to the sockets, too
        todo!("09.2: be pending once, with a wake after the visit to the park");
        // END 09.2
    })
    .await
}

thread_local! {
    /// The queue of the executor that runs on this thread, to be found by whoever yields.
    static CURRENT: RefCell<Option<Rc<YieldQueue>>> = const { RefCell::new(None) };
}

/// Who wants to be woken when the thread has visited the park.
#[derive(Default)]
pub(crate) struct YieldQueue {
    wakers: RefCell<Vec<Waker>>,
}

/// Has a task woken when the thread has visited the park.
pub(crate) fn wake_after_park(waker: &Waker) {
    // EXERCISE 09.2: Yield to the sockets, too
    todo!("09.2: put the waker into the queue of the executor that runs here");
    // END 09.2
}

impl YieldQueue {
    /// Makes this the queue that is found on this thread, until the guard is dropped.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        CURRENT.set(Some(self.clone()));
        Entered
    }

    fn push(&self, waker: Waker) {
        self.wakers.borrow_mut().push(waker);
    }

    /// Whether nobody waits for the visit.
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.borrow().is_empty()
    }

    /// Wakes all who wait. Called after the visit.
    pub(crate) fn wake_all(&self) {
        // Out of the cell first: a wake may run any code, and that may yield, too.
        self.wakers.take().into_iter().for_each(Waker::wake);
    }
}

/// Nobody finds the queue any more when this is dropped.
pub(crate) struct Entered;

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}
