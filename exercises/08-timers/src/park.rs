use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use ch05_executor::Park;

use crate::Timers;

/// A [`Park`] that also knows the time: it wakes the sleepers of `timers`, and leaves all else to
/// the park inside.
///
/// See the section "Whose timeout?" of chapter 8.
#[derive(Debug)]
pub struct TimerPark<P> {
    inner: P,
    timers: Rc<Timers>,
    /// Whether the park inside has been asked since a virtual clock has jumped last.
    has_looked: Cell<bool>,
}

impl<P: Park> Park for TimerPark<P> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // EXERCISE 08.3: Whose timeout?
        todo!("08.3: sleep until the nearest deadline, or as long as the caller allows; then wake whose time has come");
        // END 08.3
    }

    fn unparker(&self) -> Waker {
        self.inner.unparker()
    }
}

impl<P: Park> TimerPark<P> {
    /// Puts deadlines around a park.
    pub fn new(inner: P, timers: Rc<Timers>) -> TimerPark<P> {
        TimerPark { inner, timers, has_looked: Cell::new(false) }
    }

    /// Sleeps on the park inside for at most `limit`. A virtual clock jumps there instead.
    ///
    /// It must not overtake those who can run now. So the first call only looks whom the park
    /// inside wakes. When they have run, the loop comes back, and the second call jumps.
    fn wait(&self, limit: Option<Duration>) -> io::Result<()> {
        let clock = self.timers.clock();
        let Some(limit) = limit.filter(|limit| clock.is_virtual() && !limit.is_zero()) else {
            return self.inner.park(limit);
        };
        if self.has_looked.take() {
            clock.advance(limit);
            return Ok(());
        }
        self.has_looked.set(true);
        self.inner.park(Some(Duration::ZERO))
    }
}
