use std::io;
use std::time::Duration;

use nix::errno::Errno;

/// How long a server lets `accept` rest when the system has no room for one more connection.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Makes a system call again for as long as a signal interrupts it (`EINTR`).
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// When to call `accept` again, after it failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// At once: the failed connection has left the queue, the next one may be fine.
    Now,
    /// After a [`PAUSE`]: the connection is still in the queue, so the same error would come back.
    Later,
}

/// Decides what an error of `accept` means for the server.
///
/// # Errors
/// Gives the error back if the listener itself is of no use any more.
pub(crate) fn after_failed_accept(error: io::Error) -> io::Result<Retry> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNABORTED | Errno::EPROTO) => Ok(Retry::Now),
        Some(Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK) => Err(error),
        // EMFILE and ENFILE (no file descriptor left), ENOMEM, and whatever else may pass.
        _ => Ok(Retry::Later),
    }
}
