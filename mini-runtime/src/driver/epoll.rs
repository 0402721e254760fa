use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::driver::doorbell::Doorbell;
use crate::slab::{Key, Slab};
use crate::task::wake;

/// What the bell says instead of a key. No key is all ones.
const BELL: u64 = u64::MAX;
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
    /// The other side has gone, or the connection is broken: no report will follow.
    is_over: Cell<bool>,
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
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    pub(crate) fn slots(&self) -> usize {
        self.sources.borrow().len()
    }

    /// Registers a descriptor, which has to be non-blocking. It has to be removed before it is closed.
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
            | epoll::EventFlags::ET;
        if let Err(error) = epoll::add(&self.epoll, fd, data, interest) {
            self.sources.borrow_mut().remove(key);
            return Err(error.into());
        }
        Ok((key, readiness))
    }

    /// Ends a registration. Who waits is forgotten, and not woken.
    pub(crate) fn remove(&self, key: Key, fd: BorrowedFd<'_>) {
        // It is registered, so the kernel has nothing to object to.
        let removed = epoll::delete(&self.epoll, fd);
        debug_assert!(removed.is_ok(), "{removed:?}");
        let source = self.sources.borrow_mut().remove(key);
        drop(source);
    }

    /// The runtime goes. Who waits for a report is told that none will come, and so is who asks later.
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
        // A timeout that the kernel cannot count is none.
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut reports = self.reports.take();
        reports.clear();
        reports.reserve(REPORTS);
        let waited = epoll::wait(&self.epoll, spare_capacity(&mut reports), timeout.as_ref());
        // Out of the cell meanwhile: who is woken may run any code.
        for report in &reports {
            self.hear(report.data.u64(), report.flags);
        }
        self.reports.replace(reports);
        match waited {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear(&self, key: u64, flags: epoll::EventFlags) {
        use epoll::EventFlags;

        if key == BELL {
            self.doorbell.hush();
            return;
        }
        // Somebody who was woken by an earlier report may have removed it.
        let source = self.sources.borrow_mut().get_mut(key.into()).cloned();
        let Some(source) = source else { return };
        // An error or a hang-up is something to be read, and to be written to: the call will tell.
        let over = EventFlags::ERR | EventFlags::HUP;
        if flags.intersects(EventFlags::RDHUP | over) {
            source.read.is_over.set(true);
        }
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | over) {
            source.read.wake();
        }
        if flags.intersects(EventFlags::OUT | over) {
            source.write.wake();
        }
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
        if side.is_ready.get() {
            return Poll::Ready(Ok(()));
        }
        if self.is_closed.get() {
            return Poll::Ready(Err(Errno::CANCELED.into()));
        }
        let before = side.waiting.take();
        if before.as_ref().is_some_and(|before| before.will_wake(cx.waker())) {
            side.waiting.set(before);
        } else {
            side.waiting.set(Some(cx.waker().clone()));
        }
        Poll::Pending
    }

    /// A call would have blocked: the next one waits for a report.
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).is_ready.set(false);
    }

    // ANCHOR: drained
    /// A call on a stream has brought less than it had room for, so the next one would block, and need
    /// not be made. Unless the stream is over: then there is an end to be read.
    pub(crate) fn drained(&self, direction: Direction) {
        let side = self.side(direction);
        side.is_ready.set(side.is_over.get());
    }

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
// ANCHOR_END: drained

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
