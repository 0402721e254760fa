use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll};

use ch06_reactor::{Direction, Reactor};
use trace::{Event, Io, emit};

use crate::runtime::current_reactor;

/// Something with a file descriptor, registered with the reactor for as long as it lives.
#[derive(Debug)]
pub(crate) struct Source<T: AsFd + 'static> {
    io: Rc<T>,
    reactor: Rc<Reactor>,
}

impl<T: AsFd + 'static> Source<T> {
    /// Registers `io` with the reactor that runs on this thread.
    ///
    /// # Panics
    /// If none does.
    pub(crate) fn new(io: T) -> io::Result<Source<T>> {
        let reactor = current_reactor();
        let io = Rc::new(io);
        reactor.add(io.clone())?;
        Ok(Source { io, reactor })
    }

    pub(crate) fn io(&self) -> &T {
        &self.io
    }

    fn fd(&self) -> RawFd {
        self.io.as_fd().as_raw_fd()
    }

    /// Tries `operation`. If it would block, has the task woken when another try is worth it.
    ///
    /// Being woken is no promise: the operation is tried again, and may block again.
    pub(crate) fn poll_io<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        loop {
            let result = operation(&self.io);
            if let Err(error) = &result
                && error.kind() == io::ErrorKind::Interrupted
            {
                continue;
            }
            emit!(Event::Try { fd: self.fd(), slot: direction, result: outcome(&result) });
            // EXERCISE 07.1: Try, arm, wait
            todo!("07.1: if the try would block, have the reactor wake this task and wait; if not, it was the last");
            // END 07.1
        }
    }
}

impl<T: AsFd + 'static> Drop for Source<T> {
    fn drop(&mut self) {
        // This may be outside of the runtime, or after it: the reactor is our own share (fault S7).
        let deleted = self.reactor.delete(self.fd());
        debug_assert!(deleted.is_ok(), "a source is registered until it is dropped: {deleted:?}");
    }
}

fn outcome<R>(result: &io::Result<R>) -> Io {
    match result {
        Ok(_) => Io::Done,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Io::WouldBlock,
        Err(_) => Io::Failed,
    }
}
