use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use ch13_completion::{Driver, Op};

use crate::ops::Timeout;

/// How a sleep in a ring ends in time. In 2021 a call of the ring took no timeout, so one had to be
/// submitted, like everything else.
///
/// See the section "Four timeouts" of chapter 14. The first of the four, an operation for each deadline,
/// is [`PerDeadline`](crate::PerDeadline).
#[derive(Debug)]
pub enum TimeLimit {
    /// The second: an operation for each sleep, which ends with the next completion.
    PerSleep,
    /// The third: an operation that stays, until its time has come or an earlier one is needed.
    Standing(RefCell<Option<Standing>>),
    /// The fourth: an argument of the call. Needs Linux 5.11.
    Argument,
}

/// A timeout that the ring has.
#[derive(Debug)]
pub struct Standing {
    until: Instant,
    op: Op<Timeout>,
}

impl TimeLimit {
    /// The third way, without a timeout yet.
    pub fn standing() -> TimeLimit {
        TimeLimit::Standing(RefCell::new(None))
    }

    /// Waits for completions, and no longer than `limit`.
    pub(crate) fn wait(&self, driver: &Rc<Driver>, limit: Duration) -> io::Result<()> {
        match self {
            TimeLimit::PerSleep => {
                let timeout = driver.submit(Timeout::after_or(limit, 1));
                let waited = driver.wait(None);
                // It is over, or ends with the completion that has ended the sleep: nothing to cancel.
                timeout.detach();
                waited
            }
            TimeLimit::Standing(standing) => {
                let until = Instant::now().checked_add(limit);
                stand(&mut standing.borrow_mut(), driver, until, limit);
                let waited = driver.wait(None);
                forget_if_over(&mut standing.borrow_mut());
                waited
            }
            TimeLimit::Argument => driver.wait(Some(limit)),
        }
    }
}

/// Keeps a timeout that ends early enough: the thread wakes up for nothing then, and looks again.
fn stand(
    standing: &mut Option<Standing>,
    driver: &Rc<Driver>,
    until: Option<Instant>,
    limit: Duration,
) {
    let Some(until) = until else { return };
    if standing.as_ref().is_none_or(|standing| standing.until > until) {
        // Dropping the old one cancels it.
        *standing = Some(Standing { until, op: driver.submit(Timeout::after(limit)) });
    }
}

fn forget_if_over(standing: &mut Option<Standing>) {
    let context = &mut Context::from_waker(Waker::noop());
    if let Some(Standing { op, .. }) = standing
        && Pin::new(op).poll(context).is_ready()
    {
        *standing = None;
    }
}
