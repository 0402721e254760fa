use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use nix::libc::ECANCELED;
use trace::OpKind;

use crate::Operation;

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
