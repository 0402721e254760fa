use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ch05_executor::Park;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use polling::{Events, Poller};
use rustc_hash::FxHashMap;
use trace::{Cause, Direction, Event, emit};
use waker_fn::waker_fn;

use crate::slots::Slots;

/// Wakes tasks when the kernel reports that their file descriptors are ready.
///
/// One registration per descriptor serves both of its directions. A registration is *one-shot*:
/// the kernel reports once, and then nothing until it is asked again.
///
/// See the section "The reactor" of chapter 6.
pub struct Reactor {
    /// Shared with the unparkers, which other threads may hold.
    poller: Arc<Poller>,
    /// What is registered. The reactor's share keeps each descriptor open until `delete`.
    sources: RefCell<FxHashMap<RawFd, Rc<dyn AsFd>>>,
    slots: RefCell<Slots>,
    /// Room for the kernel's reports, kept from one wait to the next.
    events: RefCell<Events>,
}

impl Reactor {
    /// Makes a reactor with an epoll instance of its own.
    ///
    /// # Errors
    /// If the process has no file descriptors left: this takes three.
    pub fn new() -> io::Result<Reactor> {
        Ok(Reactor {
            poller: Arc::new(Poller::new()?),
            sources: RefCell::default(),
            slots: RefCell::default(),
            events: RefCell::new(Events::new()),
        })
    }

    /// Registers a descriptor, and makes it non-blocking. Nothing is reported before
    /// [`arm`](Reactor::arm) asks for it.
    ///
    /// The reactor shares in `source`, so that the descriptor stays open, and its number is not given
    /// to another file, until [`delete`](Reactor::delete).
    ///
    /// See the section "Why the reactor holds a share" of chapter 6.
    ///
    /// # Errors
    /// If the descriptor is registered already, or is of a kind that epoll does not take, such as a
    /// regular file.
    pub fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()> {
        set_nonblocking(source.as_fd())?;
        let fd = source.as_fd().as_raw_fd();
        self.sources.borrow_mut().insert(fd, source);
        // SAFETY: the descriptor has to be deleted before it is closed. `sources` shares in it by
        // now. It gives it up in `delete`, after the registration is deleted, or with the whole
        // reactor, after which nobody waits on this poller. A type that closes its descriptor behind
        // our back breaks no memory: epoll forgets a closed file.
        unsafe { self.poller.add(fd, polling::Event::none(fd as usize)) }
            .map_err(|error| refused(fd, error))?;
        emit!(Event::FdAdd { fd });
        Ok(())
    }

    /// Ends the registration, and drops the wakers of both directions without waking them.
    ///
    /// See the section "What delete has to forget" of chapter 6.
    ///
    /// # Errors
    /// If the descriptor is not registered.
    pub fn delete(&self, fd: RawFd) -> io::Result<()> {
        // EXERCISE 06.4: What delete has to forget
        todo!("06.4: end the entry in the kernel, the share, and both slots");
        // END 06.4
    }

    /// Wakes the current task once, as soon as `fd` is ready in this direction. Takes the place of
    /// whoever waited for that before.
    ///
    /// Ready means worth a try, not sure to succeed: the task may still meet `WouldBlock`, and has
    /// to arm again then.
    ///
    /// See the section "Ask for what the slots hold" of chapter 6.
    ///
    /// # Errors
    /// If the descriptor is not registered.
    pub fn arm(&self, fd: RawFd, direction: Direction, cx: &mut Context<'_>) -> io::Result<()> {
        // EXERCISE 06.2: Ask for what the slots hold
        todo!("06.2: leave a waker in the slot, then ask");
        // END 06.2
    }

    /// Asks the kernel for what the slots of `fd` wait for, both directions at once.
    fn ask(&self, fd: RawFd, source: BorrowedFd<'_>) -> io::Result<()> {
        // EXERCISE 06.2: Ask for what the slots hold
        todo!("06.2: ask the kernel for just the directions that somebody waits for");
        // END 06.2
    }

    /// Sleeps until the kernel reports something. Returns the wakers to be woken.
    fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<Reported>> {
        let mut events = self.events.borrow_mut();
        events.clear();
        // A signal that interrupts the wait makes it start over; `Poller` sees to that.
        self.poller.wait(&mut events, timeout)?;

        let mut reported = Vec::new();
        for event in events.iter() {
            let fd = event.key as RawFd;
            let Ok(source) = self.source(fd) else {
                continue;
            };
            emit!(Event::Ready { fd, read: event.readable, write: event.writable });
            // EXERCISE 06.3: Take, then ask again
            todo!("06.3: take the wakers of what is ready, and ask again for what is left");
            // END 06.3
        }
        Ok(reported)
    }

    fn source(&self, fd: RawFd) -> io::Result<Rc<dyn AsFd>> {
        self.sources.borrow().get(&fd).cloned().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("fd {fd} is not registered"))
        })
    }
}

struct Reported {
    fd: RawFd,
    direction: Direction,
    waker: Waker,
}

impl Park for Reactor {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // All wakers are out of their slots, and nothing is borrowed, before the first is woken.
        for Reported { fd, direction, waker } in self.wait(timeout)? {
            let _cause = trace::caused_by(Cause::Fd(fd, direction));
            waker.wake();
        }
        Ok(())
    }

    fn unparker(&self) -> Waker {
        let poller = self.poller.clone();
        // Writing to the poller's eventfd cannot fail: the poller resets it before it overflows.
        waker_fn(move || poller.notify().expect("an eventfd takes one more notification"))
    }
}

impl AsFd for Reactor {
    /// The epoll instance, which is a descriptor like any other: a second reactor can wait for it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("poller", &self.poller).finish_non_exhaustive()
    }
}

/// Puts into words what the kernel calls "File exists" and "Operation not permitted".
fn refused(fd: RawFd, error: io::Error) -> io::Error {
    let why = match error.kind() {
        io::ErrorKind::AlreadyExists => "it is registered already",
        io::ErrorKind::PermissionDenied => "epoll takes no regular files, directories and the like",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("fd {fd} cannot be registered: {why}"))
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
