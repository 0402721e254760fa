use std::io;
use std::net::SocketAddr;

use io_uring::{opcode, squeue};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};
use trace::OpKind;

use super::{SharedFd, raw};
use crate::Operation;

// ANCHOR: connect
/// Connects a socket.
pub struct Connect {
    socket: SharedFd,
    /// In a box, because the kernel reads it when it gets to it, and until then this may move.
    address: Box<SockaddrStorage>,
}

impl Connect {
    pub(crate) fn new(socket: SharedFd, address: SocketAddr) -> Connect {
        Connect { socket, address: Box::new(address.into()) }
    }
}

// SAFETY: the address is on the heap, and belongs to the operation, which shares in the descriptor.
unsafe impl Operation for Connect {
    const KIND: OpKind = OpKind::Connect;
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Connect::new(raw(&self.socket), self.address.as_ptr(), self.address.len()).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}
// ANCHOR_END: connect
