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
            Goes::On { at, since } => {
                let real = Instant::now();
                // At the end of all time, it stands still.
                let now = at.checked_add(real - since).unwrap_or(at);
                self.goes.set(Goes::On { at: now, since: real });
                now
            }
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

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;

    #[test]
    fn at_the_end_of_all_time_it_stands_still_and_does_not_go_back() {
        let clock = Clock::new();
        clock.pause();
        let (mut end, mut step) = (clock.now(), Duration::MAX);
        while !step.is_zero() {
            match end.checked_add(step) {
                Some(later) => end = later,
                None => step /= 2,
            }
        }
        let left = Duration::from_millis(1);
        clock.advance(end - left - clock.now());
        clock.resume();
        let (began, mut latest) = (Instant::now(), clock.now());
        while began.elapsed() < 2 * left {
            let before = mem::replace(&mut latest, clock.now());
            assert!(before <= latest && latest <= end);
        }
    }
}
