//! What a runtime sleeps on: io_uring where the kernel has it, epoll where not.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `epoll` | readiness, edge-triggered and remembered | chapter 6, by the `polling` crate |
//! | `op`, `ops` | what the kernel is asked to do, in either way | chapter 13 |
//! | `uring` | completion: the ring, the operations that fly | chapters 13 and 14 |
//! | `doorbell` | how another thread ends the sleep | chapter 14 |

pub(crate) mod doorbell;
pub(crate) mod epoll;
pub(crate) mod op;
pub(crate) mod ops;
pub(crate) mod uring;

use std::env;
use std::fmt;
use std::io;
use std::time::Duration;

use self::doorbell::Doorbell;
use self::epoll::Epoll;
use self::uring::Uring;
use crate::inbox::Unpark;

/// What a runtime is asked to sleep on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriverKind {
    /// What the environment variable `MINI_RUNTIME_DRIVER` says, `io_uring` or `epoll`. Without it,
    /// io_uring where the kernel has it, and epoll where not.
    #[default]
    Auto,
    /// epoll.
    Epoll,
    /// io_uring. Needs Linux 5.13 or later.
    IoUring,
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DriverKind::Auto => "auto",
            DriverKind::Epoll => "epoll",
            DriverKind::IoUring => "io_uring",
        })
    }
}

pub(crate) enum Driver {
    Epoll(Box<Epoll>),
    Uring(Box<Uring>),
}

impl Driver {
    /// # Errors
    /// If there is no such driver, with a sentence that says why; or if no descriptors are left.
    pub(crate) fn new(kind: DriverKind, entries: u32) -> io::Result<Driver> {
        let kind = match kind {
            DriverKind::Auto => chosen_by_environment()?,
            kind => kind,
        };
        let doorbell = Doorbell::new()?;
        match kind {
            DriverKind::Epoll => Ok(Driver::Epoll(Box::new(Epoll::new(doorbell)?))),
            DriverKind::IoUring => Ok(Driver::Uring(Box::new(Uring::new(doorbell, entries)?))),
            DriverKind::Auto => match Uring::new(doorbell.clone(), entries) {
                Ok(uring) => Ok(Driver::Uring(Box::new(uring))),
                Err(_) => Ok(Driver::Epoll(Box::new(Epoll::new(doorbell)?))),
            },
        }
    }

    pub(crate) fn kind(&self) -> DriverKind {
        match self {
            Driver::Epoll(_) => DriverKind::Epoll,
            Driver::Uring(_) => DriverKind::IoUring,
        }
    }

    /// How many sockets epoll knows of, or how many operations of a ring have not come to their end.
    pub(crate) fn slots(&self) -> usize {
        match self {
            Driver::Epoll(epoll) => epoll.slots(),
            Driver::Uring(uring) => uring.slots(),
        }
    }

    /// Sleeps until something is ready, completed, or the bell rings, and wakes who waits for that.
    /// Sleeps no longer than `timeout`; zero does not sleep at all.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Driver::Epoll(epoll) => epoll.park(timeout),
            Driver::Uring(uring) => uring.park(timeout),
        }
    }

    /// Gives up all that the kernel works on, and waits until it has let go.
    pub(crate) fn close(&self) {
        match self {
            // Nothing is ever lent to it.
            Driver::Epoll(epoll) => epoll.close(),
            Driver::Uring(uring) => uring.close(),
        }
    }

    pub(crate) fn unpark(&self) -> Unpark {
        let doorbell = match self {
            Driver::Epoll(epoll) => epoll.doorbell(),
            Driver::Uring(uring) => uring.doorbell(),
        };
        let doorbell = doorbell.clone();
        std::sync::Arc::new(move || doorbell.ring())
    }
}

const VARIABLE: &str = "MINI_RUNTIME_DRIVER";

fn chosen_by_environment() -> io::Result<DriverKind> {
    let Some(name) = env::var_os(VARIABLE) else { return Ok(DriverKind::Auto) };
    match name.to_str() {
        Some("" | "auto") => Ok(DriverKind::Auto),
        Some("epoll") => Ok(DriverKind::Epoll),
        Some("io_uring") => Ok(DriverKind::IoUring),
        _ => {
            let text = format!("{VARIABLE} is {name:?}: it can be auto, epoll or io_uring");
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
    }
}
