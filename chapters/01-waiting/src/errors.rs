use std::io;
use std::time::Duration;

use nix::errno::Errno;

/// How long a server lets `accept` rest when the system has no room for one more connection.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

// ANCHOR: errors
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
// ANCHOR_END: errors

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(errno: Errno) -> io::Result<Retry> {
        after_failed_accept(errno.into())
    }

    #[test]
    fn a_connection_that_failed_before_accept_makes_room_for_the_next_at_once() {
        assert_eq!(verdict(Errno::ECONNABORTED).unwrap(), Retry::Now);
        assert_eq!(verdict(Errno::EPROTO).unwrap(), Retry::Now);
    }

    #[test]
    fn a_shortage_is_waited_for() {
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EPERM] {
            assert_eq!(verdict(errno).unwrap(), Retry::Later, "{errno}");
        }
    }

    #[test]
    fn a_useless_listener_ends_the_server() {
        for errno in [Errno::EBADF, Errno::EINVAL, Errno::ENOTSOCK] {
            let error = verdict(errno).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno as i32));
        }
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut answers = [Err(Errno::EINTR), Err(Errno::EINTR), Ok(7), Ok(8)].into_iter();
        let result = uninterrupted(|| answers.next().unwrap().map_err(io::Error::from));
        assert_eq!(result.unwrap(), 7);
    }
}
