use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use trace::{Cause, Event, MAIN, PollResult, emit};

/// Wakes the main future: notes that it has to be polled, and sees to it that the thread is awake.
///
/// Other threads may hold it, unlike a task's waker: it touches nothing but the flag and the
/// unparker.
pub struct MainWaker {
    woken: AtomicBool,
    unparker: Waker,
}

impl MainWaker {
    /// Starts out woken, because the first poll needs no wake.
    pub fn new(unparker: Waker) -> Arc<MainWaker> {
        Arc::new(MainWaker { woken: AtomicBool::new(true), unparker })
    }

    /// Whether a wake came that no poll has answered yet.
    pub fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// The same, and takes the wake away. To be called before the poll, never after it: a wake that
    /// comes during the poll asks for another one.
    pub fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl MainWaker {
    /// Polls the main future, with this as its waker.
    ///
    /// # Panics
    /// If the future panics.
    pub fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        emit!(Event::PollStart { task: MAIN });
        let _cause = trace::caused_by(Cause::Task(MAIN));
        let waker = Waker::from(self.clone());
        let poll = future.poll(&mut Context::from_waker(&waker));
        drop(waker);
        let result = if poll.is_ready() { PollResult::Ready } else { PollResult::Pending };
        // One reference is the executor's own, and no waker. A waker that another thread has used up
        // meanwhile counts: the poll that it asked for is still to come.
        let wakers = Arc::strong_count(self) - 1 + usize::from(self.is_woken());
        emit!(Event::PollEnd { task: MAIN, result, wakers });
        poll
    }
}

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        emit!(Event::Wake { task: MAIN, by: Cause::Outside });
        // EXERCISE 05.2: Wake the main future
        todo!("05.2: note the wake, and see to it that the thread is awake");
        // END 05.2
    }
}
