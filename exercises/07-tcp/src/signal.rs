use std::cell::Cell;
use std::future::poll_fn;
use std::io;

use ch06_reactor::Direction;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::source::Source;

thread_local! {
    /// Whether this thread holds the two signals back.
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// Tells when the process is asked to end: by Ctrl-C (SIGINT), or by SIGTERM.
///
/// While this lives, the two signals do not end the process; they make a file descriptor readable,
/// and the reactor does the rest. Make it before other threads are started: a thread starts
/// with the signal mask of the one that made it, and a thread with the old mask would still die.
///
/// There is one at a time on a thread, because the mask is the thread's.
#[derive(Debug)]
pub struct ShutdownSignal {
    signals: Source<SignalFd>,
    previous_mask: SigSet,
}

impl ShutdownSignal {
    /// Holds the two signals back from now on.
    ///
    /// # Errors
    /// If no file descriptor is left, or if this thread has one already.
    ///
    /// # Panics
    /// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
    pub fn new() -> io::Result<ShutdownSignal> {
        if HELD.get() {
            let text = "this thread has a ShutdownSignal already";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        let mask = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = Source::new(SignalFd::with_flags(&mask, flags)?)?;
        let previous_mask = mask.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        HELD.set(true);
        Ok(ShutdownSignal { signals, previous_mask })
    }

    /// Waits for one of the two signals.
    ///
    /// # Errors
    /// If the signals cannot be read.
    ///
    /// # Cancel safety
    /// Dropping the future loses no signal.
    pub async fn recv(&self) -> io::Result<()> {
        poll_fn(|cx| {
            self.signals.poll_io(Direction::Read, cx, |signals| match signals.read_signal()? {
                Some(_) => Ok(()),
                None => Err(io::ErrorKind::WouldBlock.into()),
            })
        })
        .await
    }
}

impl Drop for ShutdownSignal {
    fn drop(&mut self) {
        // The kernel refuses only masks and operations that do not exist.
        let restored = self.previous_mask.thread_set_mask();
        debug_assert!(restored.is_ok());
        HELD.set(false);
    }
}
