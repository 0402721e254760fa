use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use nix::libc::ECANCELED;
use trace::OpKind;

use crate::Operation;

// ANCHOR: close
/// Closes a descriptor.
#[derive(Debug)]
pub struct Close {
    fd: ManuallyDrop<OwnedFd>,
}

impl Close {
    pub(crate) fn new(fd: OwnedFd) -> Close {
        Close { fd: ManuallyDrop::new(fd) }
    }
}

// SAFETY: the entry points to no memory, and it is the operation itself that ends the descriptor.
unsafe impl Operation for Close {
    const KIND: OpKind = OpKind::Close;
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Close::new(Fd(self.fd.as_raw_fd())).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        // Linux closes a descriptor also if it has an error to report, and the number may be somebody
        // else's now. Only what was cancelled was never closed.
        if let Err(error) = &result
            && error.raw_os_error() == Some(ECANCELED)
        {
            drop(ManuallyDrop::into_inner(self.fd));
        }
        result.map(drop)
    }
}
// ANCHOR_END: close

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{ErrorKind, Read};
    use std::os::fd::FromRawFd;

    use nix::errno::Errno;
    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    /// Whether the descriptor is still open after a close with this result, which is made up.
    fn is_left_alone(result: io::Result<u32>) -> bool {
        let (reader, writer) = pipe2(OFlag::O_NONBLOCK).expect("descriptors are left");
        let number = writer.as_raw_fd();
        drop(Close::new(writer).complete(result));
        match File::from(reader).read(&mut [0]) {
            Ok(length) => {
                assert_eq!(length, 0, "nobody has written");
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "the other end is open");
                // SAFETY: it is open still, and nobody owns it.
                drop(unsafe { OwnedFd::from_raw_fd(number) });
                true
            }
        }
    }

    #[test]
    fn what_was_cancelled_is_closed_and_what_the_kernel_has_closed_is_left_alone() {
        assert!(!is_left_alone(Err(Errno::ECANCELED.into())));
        assert!(is_left_alone(Ok(0)));
        // The kernel has closed it, and could not write what was cached.
        for errno in [Errno::EIO, Errno::ENOSPC, Errno::EDQUOT, Errno::EINTR, Errno::EACCES] {
            assert!(is_left_alone(Err(errno.into())), "{errno}");
        }
    }
}
