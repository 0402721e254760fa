use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use trace::{Cause, Event, MAIN, emit};

// ANCHOR: main_waker
/// Wakes the main future: notes that it has to be polled, and sees to it that the thread is awake.
///
/// Other threads may hold it, unlike a task's waker: it touches nothing but the flag and the
/// unparker.
pub(crate) struct MainWaker {
    woken: AtomicBool,
    unparker: Waker,
}

impl MainWaker {
    /// Starts out woken, because the first poll needs no wake.
    pub(crate) fn new(unparker: Waker) -> Arc<MainWaker> {
        Arc::new(MainWaker { woken: AtomicBool::new(true), unparker })
    }

    /// Whether a wake came that no poll has answered yet.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// The same, and takes the wake away. To be called before the poll, never after it: a wake that
    /// comes during the poll asks for another one.
    pub(crate) fn take_woken(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }
}

impl Wake for MainWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        emit!(Event::Wake { task: MAIN, by: Cause::Outside });
        // The order matters. A thread that is unparked first could look at the flag, find nothing,
        // and sleep again before the flag is set.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.unparker.wake_by_ref();
        }
    }
}
// ANCHOR_END: main_waker
