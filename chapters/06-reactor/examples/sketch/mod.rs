//! A reactor before it is finished, for the demos that finish it wrongly.
#![allow(dead_code, reason = "each demo uses another part")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ch05_executor::Park;
use ch06_reactor::{Direction, Reactor, read_key, write_key};
use polling::{Events, Poller};
use trace::{Event, emit};
use waker_fn::waker_fn;

/// What both versions of a demo can do.
pub trait Registry: Park {
    fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()>;
    fn arm(&self, fd: RawFd, direction: Direction, cx: &mut Context<'_>) -> io::Result<()>;
    fn delete(&self, fd: RawFd) -> io::Result<()>;
}

/// The mended version is the chapter's own.
impl Registry for Reactor {
    fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()> {
        Reactor::add(self, source)
    }

    fn arm(&self, fd: RawFd, direction: Direction, cx: &mut Context<'_>) -> io::Result<()> {
        Reactor::arm(self, fd, direction, cx)
    }

    fn delete(&self, fd: RawFd) -> io::Result<()> {
        Reactor::delete(self, fd)
    }
}

/// Sources, wakers and a poller: everything but `arm` and `delete`.
pub struct Sketch {
    poller: Arc<Poller>,
    sources: RefCell<HashMap<RawFd, Rc<dyn AsFd>>>,
    wakers: RefCell<HashMap<usize, Waker>>,
}

impl Sketch {
    pub fn new() -> io::Result<Sketch> {
        Ok(Sketch {
            poller: Arc::new(Poller::new()?),
            sources: RefCell::default(),
            wakers: RefCell::default(),
        })
    }

    /// Registers a descriptor, which the demos have made non-blocking.
    pub fn add(&self, source: Rc<dyn AsFd>) -> io::Result<()> {
        let fd = source.as_fd().as_raw_fd();
        // SAFETY: the descriptor has to be deleted before it is closed. `sources` keeps it open until
        // `unregister` has deleted it, or until nobody waits on this poller any more.
        unsafe { self.poller.add(fd, polling::Event::none(fd as usize))? };
        emit!(Event::FdAdd { fd });
        self.sources.borrow_mut().insert(fd, source);
        Ok(())
    }

    /// Ends the kernel's part of a registration, and gives up the source.
    pub fn unregister(&self, fd: RawFd) -> io::Result<()> {
        self.poller.delete(self.source(fd)?)?;
        emit!(Event::FdDelete { fd });
        let source = self.sources.borrow_mut().remove(&fd);
        drop(source);
        Ok(())
    }

    /// Keeps a waker in the slot of this direction.
    pub fn keep(&self, fd: RawFd, direction: Direction, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        emit!(Event::SlotSet { fd, slot: direction });
        let replaced = self.wakers.borrow_mut().insert(key(fd, direction), waker);
        drop(replaced);
    }

    /// Whether somebody waits for this direction.
    pub fn keeps(&self, fd: RawFd, direction: Direction) -> bool {
        self.wakers.borrow().contains_key(&key(fd, direction))
    }

    /// Asks the kernel for a report, in place of what it was asked before.
    pub fn ask(&self, fd: RawFd, interest: polling::Event) -> io::Result<()> {
        let (read, write) = (interest.readable, interest.writable);
        emit!(Event::Interest { fd, read, write });
        self.poller.modify(self.source(fd)?, interest)
    }

    fn source(&self, fd: RawFd) -> io::Result<Rc<dyn AsFd>> {
        let source = self.sources.borrow().get(&fd).cloned();
        source.ok_or_else(|| io::Error::other(format!("fd {fd} is not registered")))
    }
}

impl Park for Sketch {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut events = Events::new();
        self.poller.wait(&mut events, timeout)?;
        for event in events.iter() {
            let fd = event.key as RawFd;
            emit!(Event::Ready { fd, read: event.readable, write: event.writable });
            for (direction, ready) in
                [(Direction::Read, event.readable), (Direction::Write, event.writable)]
            {
                if !ready {
                    continue;
                }
                let waker = self.wakers.borrow_mut().remove(&key(fd, direction));
                if let Some(waker) = waker {
                    emit!(Event::SlotClear { fd, slot: direction });
                    waker.wake();
                }
            }
        }
        Ok(())
    }

    fn unparker(&self) -> Waker {
        let poller = self.poller.clone();
        waker_fn(move || poller.notify().expect("an eventfd takes one more notification"))
    }
}

fn key(fd: RawFd, direction: Direction) -> usize {
    match direction {
        Direction::Read => read_key(fd),
        Direction::Write => write_key(fd),
    }
}
