use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// How another thread ends the sleep of this one: it writes to an eventfd, which the driver watches.
///
/// Built in chapter 14, section "A doorbell".
#[derive(Clone)]
pub(crate) struct Doorbell(Arc<OwnedFd>);

impl Doorbell {
    pub(crate) fn new() -> io::Result<Doorbell> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Doorbell(Arc::new(eventfd(0, flags)?)))
    }

    /// Rings, from any thread.
    pub(crate) fn ring(&self) {
        match rustix::io::write(&self.0, &1_u64.to_ne_bytes()) {
            // A counter that is full was not heard yet: it will be.
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => unreachable!("an eventfd takes one more: {error}"),
        }
    }

    /// Makes the bell silent.
    pub(crate) fn hush(&self) {
        // If it is silent already, all is well.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
