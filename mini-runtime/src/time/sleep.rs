use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::Errno;

use super::Instant;
use crate::context;
use crate::runtime::Core;
use crate::slab::Key;
use crate::task::clone_of;

/// A future that is ready when its deadline has come, never before.
///
/// It counts from when it was made, not from its first poll. It goes by the clock of the runtime in which
/// it was made, and wakes the task that has polled it last. It can be dropped anywhere on its thread.
///
/// Built in chapter 8.
///
/// # Panics
/// If it is polled after its runtime was dropped, unless its deadline has come: nobody would ever wake who
/// waits for it. Whoever waits already when the runtime is dropped is woken to learn it.
///
/// # Cancel safety
/// Dropping it takes the deadline back.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    core: Rc<Core>,
    /// `None` is later than an [`Instant`] can tell: never.
    deadline: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Nobody has looked at the clock.
    New,
    /// The clock was looked at when this was made, and the deadline was ahead. If it has come meanwhile, the
    /// wheel will tell.
    Ahead,
    /// The wheel has it.
    Waiting(Key),
    /// The time has come.
    Over,
}

/// Sleeps for this long. [`Duration::MAX`] is for ever.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::on(context::current(), duration)
}

/// Sleeps until this time. A time that is past is no wait at all.
///
/// # Panics
/// If no runtime runs on this thread.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { core: context::current(), deadline: Some(deadline), state: State::New }
}

/// Sleeps on the clock of this runtime, whichever runs on this thread.
///
/// # Errors
/// `ECANCELED` if the runtime is gone.
pub(crate) async fn nap(core: &Rc<Core>, duration: Duration) -> io::Result<()> {
    let mut sleep = Sleep::on(core.clone(), duration);
    poll_fn(|cx| sleep.poll_elapsed(cx)).await
}

impl Sleep {
    /// On the clock of this runtime, whichever runs on this thread.
    pub(crate) fn on(core: Rc<Core>, duration: Duration) -> Sleep {
        let now = Instant::from_std(core.timers.clock.now());
        let state = if duration.is_zero() { State::Over } else { State::Ahead };
        Sleep { core, deadline: now.checked_add(duration), state }
    }

    /// The time by which this goes, whichever runtime runs on this thread.
    pub(super) fn now(&self) -> Instant {
        Instant::from_std(self.core.timers.clock.now())
    }

    /// Whether the time has come.
    pub fn is_elapsed(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= self.now())
    }

    /// The time at which this is ready. `None` if it never is.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits until another time instead. The old deadline wakes nobody any more, and the new one only who
    /// polls after this.
    pub fn reset(&mut self, deadline: Instant) {
        self.reset_to(Some(deadline));
    }

    pub(crate) fn reset_to(&mut self, deadline: Option<Instant>) {
        self.cancel();
        self.deadline = deadline;
    }

    /// # Errors
    /// `ECANCELED` if the runtime is gone, and the time has not come.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_free(cx))?;
        // Ticks that come faster than they are dealt with would keep the thread for ever.
        context::poll_allowance(cx).map(Ok)
    }

    /// As `poll_elapsed`, and counts as nothing that the task has had.
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Without a deadline, this was asked to sleep for ever: nobody has to be woken.
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let timers = &self.core.timers;
        self.state = match self.state {
            State::Over => State::Over,
            State::New if self.is_elapsed() => State::Over,
            State::Ahead if timers.is_past(deadline.into_std()) => State::Over,
            // At every poll, because the task may be another one than last time.
            State::Waiting(timer) if timers.replace(timer, clone_of(cx.waker())) => {
                return Poll::Pending;
            }
            // The wheel tells nobody any more, but the time may have come all the same.
            _ if timers.is_closed() => {
                if !self.is_elapsed() {
                    return Poll::Ready(Err(Errno::CANCELED.into()));
                }
                State::Over
            }
            // It has fired.
            State::Waiting(_) => State::Over,
            State::New | State::Ahead => {
                let waker = clone_of(cx.waker());
                // That may have run any code, also such as ends the runtime, or lets the time come.
                if timers.is_closed() || timers.is_past(deadline.into_std()) {
                    return self.poll_free(cx);
                }
                State::Waiting(timers.set(deadline.into_std(), waker))
            }
        };
        match self.state {
            State::Over => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// The end of a timeout, which comes also if all that the task may have at once was spent by others: they
    /// would keep it away for ever.
    pub(super) fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_free(cx).map(is_there)
    }

    fn cancel(&mut self) {
        if let State::Waiting(timer) = mem::replace(&mut self.state, State::New) {
            self.core.timers.cancel(timer);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_elapsed(cx).map(is_there)
    }
}

/// # Panics
/// If the runtime is gone.
fn is_there(elapsed: io::Result<()>) {
    assert!(
        elapsed.is_ok(),
        "the runtime of this sleep is gone: nobody would ever wake who waits for it"
    );
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
