use std::cell::Cell;
use std::time::{Duration, Instant};

/// Tells the time of one runtime.
///
/// See the section "A clock for tests" of chapter 8.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    /// How long a virtual clock has run. `None` for the real one.
    elapsed: Cell<Option<Duration>>,
}

impl Clock {
    /// The system's monotonic clock.
    pub fn real() -> Clock {
        Clock { began: Instant::now(), elapsed: Cell::new(None) }
    }

    /// A clock that begins now, and stands still. It moves when [`advance`](Clock::advance) is
    /// called, and when nobody has anything to do: then it jumps to the next deadline.
    pub fn virtual_now() -> Clock {
        Clock { began: Instant::now(), elapsed: Cell::new(Some(Duration::ZERO)) }
    }

    /// The time on this clock.
    pub fn now(&self) -> Instant {
        match self.elapsed.get() {
            None => Instant::now(),
            Some(elapsed) => self.began + elapsed,
        }
    }

    /// Whether this clock is a virtual one.
    pub fn is_virtual(&self) -> bool {
        self.elapsed.get().is_some()
    }

    /// Moves a virtual clock on. Deadlines that are passed thereby are met when the thread parks
    /// the next time.
    ///
    /// # Panics
    /// If the clock is the real one, or if the time would be later than [`Instant`] can tell.
    pub fn advance(&self, by: Duration) {
        let elapsed = self.elapsed.get().expect("only a virtual clock can be moved");
        let later = elapsed.checked_add(by).filter(|all| self.began.checked_add(*all).is_some());
        self.elapsed.set(Some(later.expect("the time is later than an Instant can tell")));
    }
}
