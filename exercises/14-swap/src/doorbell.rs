use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use ch13_completion::{Driver, Op};
use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};
use waker_fn::waker_fn;

use crate::ops;

/// How another thread ends the sleep in a ring: it writes to an eventfd, and the ring watches that.
///
/// See the section "A doorbell" of chapter 14.
pub struct Doorbell {
    bell: Arc<EventFd>,
    watch: RefCell<Option<Op<ops::Poll<Arc<EventFd>>>>>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One operation for each ring of the bell, submitted before the sleep: the way of 2021.
    Once,
    /// One operation for all times.
    Multishot,
}

impl Doorbell {
    /// A bell that has to be watched anew after it was rung.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn once() -> io::Result<Doorbell> {
        Doorbell::new(Kind::Once)
    }

    /// A bell that is watched once, for ever. Needs Linux 5.13.
    ///
    /// # Errors
    /// If no file descriptor is left.
    pub fn multishot() -> io::Result<Doorbell> {
        Doorbell::new(Kind::Multishot)
    }

    fn new(kind: Kind) -> io::Result<Doorbell> {
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Doorbell { bell: Arc::new(bell), watch: RefCell::new(None), kind })
    }

    /// A waker that rings the bell, from any thread.
    pub fn ringer(&self) -> Waker {
        let bell = self.bell.clone();
        waker_fn(move || match bell.write(1) {
            // A counter that is full was not heard yet: it will be.
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(error) => unreachable!("an eventfd takes one more: {error}"),
        })
    }

    /// Sees to it that the ring watches the bell. To be called before each sleep.
    pub(crate) fn watch(&self, driver: &Rc<Driver>) {
        // EXERCISE 14.3: Watch the bell
        todo!("14.3: see to it that an operation watches the bell");
        // END 14.3
    }

    /// Looks whether the watch has ended. To be called after each sleep.
    pub(crate) fn hear(&self) {
        // EXERCISE 14.3: Watch the bell
        todo!("14.3: look whether the watch has ended, so that there is a new one next time");
        // END 14.3
    }
}

impl fmt::Debug for Doorbell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorbell").field("kind", &self.kind).finish_non_exhaustive()
    }
}
