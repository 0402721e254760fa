use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::Stats;
use crate::errors::{PAUSE, uninterrupted};

/// How many events one `epoll_wait` takes home, at most. Others stay for the next.
const EVENTS: usize = 64;

/// What to call when the waiting is over, with all that it needs inside.
type Callback = Box<dyn FnOnce(&mut EventLoop) -> io::Result<()>>;

/// A thread's only place to wait: a table of who waits for what, and a loop that calls them back.
///
/// Each wait is for one time: what has been called back must ask again.
pub(crate) struct EventLoop {
    epoll: Epoll,
    waiting: HashMap<RawFd, Callback>,
    /// Those that wait for no file descriptor, only for a while.
    resting: Vec<Callback>,
    pub(crate) stats: Stats,
}

impl EventLoop {
    /// `epoll_create`: a set of file descriptors, empty so far.
    pub(crate) fn new() -> io::Result<EventLoop> {
        Ok(EventLoop {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            waiting: HashMap::new(),
            resting: Vec::new(),
            stats: Stats::default(),
        })
    }

    /// `epoll_ctl`, to add: from now on `source` can be waited for. Closing it takes it out again.
    pub(crate) fn add(&self, source: &impl AsFd) -> io::Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLONESHOT, key(source));
        Ok(self.epoll.add(source, event)?)
    }

    /// `epoll_ctl`, to modify: once `source` is ready for what is asked, `then` is called with it.
    pub(crate) fn when<T: AsFd + 'static>(
        &mut self,
        readiness: EpollFlags,
        source: T,
        then: fn(&mut EventLoop, T) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut event = EpollEvent::new(readiness | EpollFlags::EPOLLONESHOT, key(&source));
        // EXERCISE 01.4: Ask to be called back
        todo!("01.4: tell epoll what to report, and put what to call into the table");
        // END 01.4
    }

    /// Calls `then` with `source` after the next wait, which lasts for a [`PAUSE`] at most.
    pub(crate) fn after_a_pause<T: 'static>(
        &mut self,
        source: T,
        then: fn(&mut EventLoop, T) -> io::Result<()>,
    ) {
        self.resting.push(Box::new(move |events| then(events, source)));
    }

    /// `epoll_wait`, round and round: sleeps, calls back, until nobody waits any more.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut ready = [EpollEvent::empty(); EVENTS];
        while !self.waiting.is_empty() {
            let timeout = match self.resting.is_empty() {
                true => EpollTimeout::NONE,
                false => EpollTimeout::try_from(PAUSE).expect("a short time"),
            };
            let n = uninterrupted(|| Ok(self.epoll.wait(&mut ready, timeout)?))?;
            self.stats.wakeups += 1;

            for event in &ready[..n] {
                if let Some(callback) = self.waiting.remove(&(event.data() as RawFd)) {
                    callback(self)?;
                }
            }
            for callback in mem::take(&mut self.resting) {
                callback(self)?;
            }
        }
        Ok(())
    }
}

/// The number by which the kernel names `source` when it reports it: its file descriptor.
fn key(source: &impl AsFd) -> u64 {
    source.as_fd().as_raw_fd() as u64
}
