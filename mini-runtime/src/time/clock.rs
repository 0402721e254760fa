use std::cell::Cell;
use std::time::{Duration, Instant};

/// Tells the time of one runtime: the system's, or one that stands still now and then. It never goes back.
///
/// Built in chapter 8, section "A clock for tests".
#[derive(Debug)]
pub(crate) struct Clock {
    goes: Cell<Goes>,
}

#[derive(Clone, Copy, Debug)]
enum Goes {
    /// With the system's.
    Along,
    /// Not at all: it is this time.
    Paused(Instant),
    /// As fast as the system's. It was `at` when that was `since`.
    On { at: Instant, since: Instant },
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { goes: Cell::new(Goes::Along) }
    }

    pub(crate) fn now(&self) -> Instant {
        match self.goes.get() {
            Goes::Along => Instant::now(),
            Goes::Paused(at) => at,
            // At the end of all time, it stands still.
            Goes::On { at, since } => at.checked_add(since.elapsed()).unwrap_or(at),
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        matches!(self.goes.get(), Goes::Paused(_))
    }

    /// # Panics
    /// If it stands already.
    #[track_caller]
    pub(crate) fn pause(&self) {
        assert!(!self.is_paused(), "the clock is paused already");
        self.goes.set(Goes::Paused(self.now()));
    }

    /// Goes on from where it stands.
    ///
    /// # Panics
    /// If it does not stand.
    #[track_caller]
    pub(crate) fn resume(&self) {
        let Goes::Paused(at) = self.goes.get() else { panic!("the clock is not paused") };
        self.goes.set(Goes::On { at, since: Instant::now() });
    }

    /// # Panics
    /// If it does not stand, or if the time would be later than an [`Instant`] can tell.
    #[track_caller]
    pub(crate) fn advance(&self, by: Duration) {
        let Goes::Paused(at) = self.goes.get() else {
            panic!("only a clock that is paused can be moved");
        };
        let later = at.checked_add(by).expect("the time is later than an Instant can tell");
        self.goes.set(Goes::Paused(later));
    }
}
