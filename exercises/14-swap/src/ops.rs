//! The operations of this chapter.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

use ch13_completion::Operation;
use io_uring::types::{Fd, TimeoutFlags, Timespec};
use io_uring::{opcode, squeue};
use nix::errno::Errno;
use nix::libc::POLLIN;
use trace::OpKind;

/// Is completed after a time. Or when so many other operations were completed after it was submitted,
/// if that comes first.
#[derive(Debug)]
pub struct Timeout {
    /// On the heap, because the kernel reads it when it gets to it, and until then this may move. Not in
    /// a box: a pointer into a box is void as soon as the box is moved.
    duration: Rc<Timespec>,
    completions: u32,
}

impl Timeout {
    /// Is completed after `duration`.
    pub fn after(duration: Duration) -> Timeout {
        Timeout::after_or(duration, 0)
    }

    /// Is completed after `duration`, or when `completions` other operations were. 0 counts none.
    pub fn after_or(duration: Duration, completions: u32) -> Timeout {
        // The kernel counts seconds with a sign. Nobody waits that long.
        let duration = duration.min(Duration::from_secs(i64::MAX as u64));
        Timeout { duration: Rc::new(duration.into()), completions }
    }
}

// SAFETY: the time is on the heap, and belongs to the operation.
unsafe impl Operation for Timeout {
    const KIND: OpKind = OpKind::Timeout;
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Timeout::new(Rc::as_ptr(&self.duration))
            .count(self.completions)
            .flags(TimeoutFlags::empty())
            .build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        match result {
            // That the time has come is what this is for, and no error.
            Err(error) if error.raw_os_error() == Some(Errno::ETIME as i32) => Ok(()),
            result => result.map(drop),
        }
    }
}

/// Waits until a descriptor can be read: epoll's question, asked of a ring.
#[derive(Debug)]
pub struct Poll<S> {
    source: S,
    multishot: bool,
}

impl<S: AsFd> Poll<S> {
    /// Is completed when `source` can be read.
    pub fn once(source: S) -> Poll<S> {
        Poll { source, multishot: false }
    }

    /// Wakes its waker each time that `source` becomes readable, and goes on. Needs Linux 5.13.
    pub fn multishot(source: S) -> Poll<S> {
        Poll { source, multishot: true }
    }
}

// SAFETY: the entry points to no memory, and the operation owns the source, which keeps the descriptor
// open.
unsafe impl<S: AsFd + 'static> Operation for Poll<S> {
    const KIND: OpKind = OpKind::Poll;
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        let fd = Fd(self.source.as_fd().as_raw_fd());
        opcode::PollAdd::new(fd, POLLIN as u32).multi(self.multishot).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}
