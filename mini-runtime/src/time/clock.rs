use std::cell::Cell;
use std::time::{Duration, Instant};

/// Tells the time of one runtime: the system's, or one that stands still.
///
/// Built in chapter 8, section "A clock for tests".
#[derive(Debug)]
pub(crate) struct Clock {
    /// The time at which a clock that stands still stands.
    stands_at: Cell<Option<Instant>>,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { stands_at: Cell::new(None) }
    }

    pub(crate) fn now(&self) -> Instant {
        self.stands_at.get().unwrap_or_else(Instant::now)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.stands_at.get().is_some()
    }

    /// # Panics
    /// If it stands already.
    pub(crate) fn pause(&self) {
        assert!(!self.is_paused(), "the clock is paused already");
        self.stands_at.set(Some(Instant::now()));
    }

    /// Goes on with the system's time.
    ///
    /// # Panics
    /// If it does not stand.
    pub(crate) fn resume(&self) {
        assert!(self.is_paused(), "the clock is not paused");
        self.stands_at.set(None);
    }

    /// # Panics
    /// If it does not stand, or if the time would be later than an [`Instant`] can tell.
    pub(crate) fn advance(&self, by: Duration) {
        let now = self.stands_at.get().expect("only a clock that is paused can be moved");
        let later = now.checked_add(by).expect("the time is later than an Instant can tell");
        self.stands_at.set(Some(later));
    }
}
