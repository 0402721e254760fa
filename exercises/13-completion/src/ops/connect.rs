use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use io_uring::{opcode, squeue};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};
use trace::OpKind;

use super::{SharedFd, raw};
use crate::Operation;

/// Connects a socket.
pub struct Connect {
    socket: SharedFd,
    /// On the heap, because the kernel reads it when it gets to it, and until then this may move. Not in
    /// a box: a pointer into a box is void as soon as the box is moved.
    address: Rc<SockaddrStorage>,
}

impl Connect {
    pub(crate) fn new(socket: SharedFd, address: SocketAddr) -> Connect {
        Connect { socket, address: Rc::new(address.into()) }
    }
}

// SAFETY: the address is on the heap, and belongs to the operation, which shares in the descriptor.
unsafe impl Operation for Connect {
    const KIND: OpKind = OpKind::Connect;
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        let address = Rc::as_ptr(&self.address);
        opcode::Connect::new(raw(&self.socket), address.cast(), self.address.len()).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}
