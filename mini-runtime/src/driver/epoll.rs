use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::context;
use crate::driver::doorbell::Doorbell;
use crate::slab::{Key, Slab};
use crate::task::{wait, wake};

/// What the bell says instead of a key. No key is all ones.
const BELL: u64 = u64::MAX;
/// What the timer says instead of a key. No key has the last index.
const TIMER: u64 = u64::MAX - 1;
/// How many reports are taken from the kernel in one call.
const REPORTS: usize = 256;

/// Readiness by epoll, edge-triggered: a descriptor is registered once, for both directions, and the kernel
/// reports each change. What it has reported is remembered until a call says otherwise, so that a
/// descriptor which is ready costs no question.
///
/// Built in chapter 6. What changed: no re-arming, so two system calls less for each wait.
pub(crate) struct Epoll {
    epoll: OwnedFd,
    doorbell: Doorbell,
    sources: RefCell<Slab<Rc<Readiness>>>,
    reports: RefCell<Vec<epoll::Event>>,
    /// From the first sleep with an end on.
    timer: OnceCell<Timer>,
    /// Set when the runtime is gone: nobody asks the kernel any more.
    is_closed: Cell<bool>,
}

// ANCHOR: readiness
/// What is known of one descriptor, and who waits for more.
#[derive(Default)]
pub(crate) struct Readiness {
    read: Side,
    write: Side,
    /// No report will ever come again.
    is_closed: Cell<bool>,
}

#[derive(Default)]
struct Side {
    is_ready: Cell<bool>,
    /// A short call is no sign that nothing is left: the other side has gone, the connection is broken, or
    /// an urgent byte ends each read before it. Of what is behind that, no report will follow.
    tries_again: Cell<bool>,
    waiting: Cell<Option<Waker>>,
}
// ANCHOR_END: readiness

impl Side {
    fn wake(&self) {
        self.is_ready.set(true);
        wake(self.waiting.take());
    }
}

/// Reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Epoll {
    pub(crate) fn new(doorbell: Doorbell) -> io::Result<Epoll> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = epoll::EventData::new_u64(BELL);
        epoll::add(&epoll, &doorbell, bell, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        Ok(Epoll {
            epoll,
            doorbell,
            sources: RefCell::default(),
            reports: RefCell::new(Vec::with_capacity(REPORTS)),
            timer: OnceCell::new(),
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    pub(crate) fn slots(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Registers a descriptor. It has to be removed before it is closed.
    ///
    /// # Errors
    /// If epoll does not take this kind, or has it already, or if the runtime is gone.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>) -> io::Result<(Key, Rc<Readiness>)> {
        if self.is_closed.get() {
            return Err(Errno::CANCELED.into());
        }
        let readiness = Rc::new(Readiness::default());
        // Worth a first try, in both directions.
        readiness.read.is_ready.set(true);
        readiness.write.is_ready.set(true);
        let key = self.sources.borrow_mut().insert(readiness.clone());
        let data = epoll::EventData::new_u64(key.into());
        let interest = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::PRI
            | epoll::EventFlags::ET;
        if let Err(error) = epoll::add(&self.epoll, fd, data, interest) {
            self.sources.borrow_mut().remove(key);
            return Err(error.into());
        }
        Ok((key, readiness))
    }

    /// Ends a registration. Whoever waits is forgotten, and not woken.
    pub(crate) fn remove(&self, key: Key, fd: BorrowedFd<'_>) {
        // It is registered, so the kernel has nothing to object to.
        let removed = epoll::delete(&self.epoll, fd);
        debug_assert!(removed.is_ok(), "{removed:?}");
        let source = self.sources.borrow_mut().remove(key);
        drop(source);
    }

    /// The runtime goes. Whoever waits for a report is told that none will come, and so is whoever asks later.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let sources: Vec<_> =
            self.sources.borrow().iter().map(|(_, source)| source.clone()).collect();
        for source in sources {
            source.is_closed.set(true);
            for side in [&source.read, &source.write] {
                wake(side.waiting.take());
            }
        }
    }

    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // A timeout of epoll's own counts whole milliseconds. It has to do where there is no timer.
        let timeout = match timeout {
            Some(left) if !left.is_zero() && self.set_timer(left).is_ok() => None,
            // One that the kernel cannot count is none.
            timeout => timeout.and_then(|timeout| Timespec::try_from(timeout).ok()),
        };
        let mut reports = self.reports.take();
        reports.clear();
        reports.reserve(REPORTS);
        let waited = epoll::wait(&self.epoll, spare_capacity(&mut reports), timeout.as_ref());
        // Out of the cell meanwhile: whoever is woken may run any code.
        for report in &reports {
            self.hear(report.data.u64(), report.flags);
        }
        self.reports.replace(reports);
        match waited {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// # Errors
    /// If no descriptor is left for the timer.
    fn set_timer(&self, left: Duration) -> io::Result<()> {
        if let Some(timer) = self.timer.get() {
            return timer.set(left);
        }
        let timer = Timer::new()?;
        let data = epoll::EventData::new_u64(TIMER);
        epoll::add(&self.epoll, &timer.fd, data, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        self.timer.get_or_init(|| timer).set(left)
    }

    fn hear(&self, key: u64, flags: epoll::EventFlags) {
        use epoll::EventFlags;

        match key {
            BELL => return self.doorbell.hush(),
            TIMER => return self.timer.get().into_iter().for_each(Timer::is_over),
            _ => {}
        }
        // Somebody who was woken by an earlier report may have removed it.
        let source = self.sources.borrow().get(key.into()).cloned();
        let Some(source) = source else { return };
        // An error or a hang-up is something to be read, and to be written to: the call will tell.
        let over = EventFlags::ERR | EventFlags::HUP;
        if flags.intersects(EventFlags::RDHUP | EventFlags::PRI | over) {
            source.read.tries_again.set(true);
        }
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | over) {
            source.read.wake();
        }
        if flags.intersects(EventFlags::OUT | over) {
            source.write.wake();
        }
    }
}

/// Ends a sleep at a time that is finer than epoll's own, and with no slack.
struct Timer {
    fd: OwnedFd,
    /// When it goes off, if that is to come.
    goes_off: Cell<Option<Instant>>,
}

impl Timer {
    fn new() -> io::Result<Timer> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Timer { fd, goes_off: Cell::new(None) })
    }

    /// Goes off in this time, or earlier: one that was set for an earlier time stays, and whoever is woken by
    /// it for nothing sets it anew. So a nearest deadline that moves away again and again costs no call.
    fn set(&self, left: Duration) -> io::Result<()> {
        let now = Instant::now();
        // What the clock cannot tell is for ever.
        let Some(deadline) = now.checked_add(left) else { return Ok(()) };
        if self.goes_off.get().is_some_and(|earlier| now < earlier && earlier <= deadline) {
            return Ok(());
        }
        let Ok(it_value) = Timespec::try_from(left) else { return Ok(()) };
        let once = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &once)?;
        self.goes_off.set(Some(deadline));
        Ok(())
    }

    fn is_over(&self) {
        self.goes_off.set(None);
    }
}

impl Readiness {
    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    /// Ready when a call in this direction is worth a try.
    ///
    /// # Errors
    /// If nobody would ever tell, because the runtime is gone.
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let side = self.side(direction);
        if !side.is_ready.get() {
            wait(&side.waiting, cx.waker());
        }
        // After the waker is there: cloning it may run any code, also such as hears a report, or ends the
        // runtime.
        if side.is_ready.get() {
            return context::poll_allowance(cx).map(Ok);
        }
        if self.is_closed.get() {
            drop(side.waiting.take());
            return Poll::Ready(Err(Errno::CANCELED.into()));
        }
        Poll::Pending
    }

    /// A call would have blocked: the next one waits for a report.
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).is_ready.set(false);
    }

    // ANCHOR: drained
    /// A call on a stream has brought less than it had room for, so the next one would block, and need
    /// not be made. Unless the stream is over: then there is an end to be read, and the like.
    pub(crate) fn drained(&self, direction: Direction) {
        let side = self.side(direction);
        side.is_ready.set(side.tries_again.get());
    }
    // ANCHOR_END: drained

    /// Makes a call as soon as it does not block. Polls again until it has been made.
    pub(crate) fn poll_io<T>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut call: impl FnMut() -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(self.poll_ready(direction, cx))?;
            match call() {
                Err(Errno::AGAIN) => self.clear(direction),
                Err(Errno::INTR) => {}
                result => return Poll::Ready(result.map_err(Into::into)),
            }
        }
    }
}
