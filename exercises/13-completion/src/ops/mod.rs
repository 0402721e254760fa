//! The operations.

mod accept;
mod close;
mod connect;
mod read;
mod vectored;
mod write;

pub use accept::Accept;
pub use close::Close;
pub use connect::Connect;
pub use read::{ReadAt, Recv};
pub use vectored::{ReadVectored, WriteVectored};
pub use write::{Send, WriteAt};

use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;

use io_uring::types::Fd;

/// What an operation works on. It shares in it: the descriptor stays open, and its number is not given
/// to another file, until the kernel has let go.
pub(crate) type SharedFd = Rc<dyn AsFd>;

fn raw(fd: &SharedFd) -> Fd {
    Fd(fd.as_fd().as_raw_fd())
}

/// A length as the ring takes it. What does not fit is left for the next time.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
