use crate::sync::{AtomicBool, Ordering};

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
        // EXERCISE 11.2: Wake, from anywhere
        todo!("11.2: note the wake, and say whether it is the first one since the poll began");
        // END 11.2
    }

    /// The poll begins. A wake from now on asks for another one.
    pub(crate) fn take(&self) {
        // EXERCISE 11.2: Wake, from anywhere
        todo!("11.2: a poll begins: take the flag down, and see all that came with each wake");
        // END 11.2
    }
}
