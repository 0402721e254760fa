use crate::sync::{AtomicBool, Ordering};

// ANCHOR: woken
/// Whether a task has been woken since its last poll began. Many wakes are one.
pub(crate) struct Woken(AtomicBool);

impl Woken {
    /// Starts out woken: the first poll needs no wake.
    pub(crate) fn new() -> Woken {
        Woken(AtomicBool::new(true))
    }

    /// Notes a wake. Returns whether it is the first one since the last poll began: this one has to
    /// see to it that the task is queued.
    pub(crate) fn set(&self) -> bool {
        // ANCHOR: set_body
        // Release: what the thread did before its wake is seen by the poll that the wake asks for.
        // Also if somebody else's wake came first, and this one changes nothing.
        !self.0.swap(true, Ordering::AcqRel)
        // ANCHOR_END: set_body
    }

    /// The poll begins. A wake from now on asks for another one.
    pub(crate) fn take(&self) {
        // ANCHOR: take_body
        // A swap, because a store would not see what those who came second have done.
        self.0.swap(false, Ordering::AcqRel);
        // ANCHOR_END: take_body
    }
}
// ANCHOR_END: woken
