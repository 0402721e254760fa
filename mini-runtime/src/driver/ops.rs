//! The operations.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::rc::Rc;

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{SendFlags, SocketAddrAny, SocketFlags};

use super::{Completion, Operation, Streaming};
use crate::io::{BufResult, IoBuf, IoBufMut, Vectored};
use crate::net::socket::Socket;

/// What an operation works on. It shares in it, so the descriptor stays open, and its number is not given
/// to another file, until the kernel has let go.
pub(crate) type Shared = Rc<Socket>;

fn raw(socket: &Shared) -> Fd {
    Fd(socket.as_fd().as_raw_fd())
}

/// A length as the ring takes it. What does not fit is left for the next time.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Receives what a socket has, once it has something.
pub(crate) struct Recv<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
}

// SAFETY: the room is the buffer's, which belongs to the operation and keeps it in its place. The
// operation shares in the descriptor.
unsafe impl<B: IoBufMut> Operation for Recv<B> {
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let room = length(self.buf.bytes_total());
        opcode::Recv::new(raw(&self.socket), self.buf.as_mut_ptr(), room).build()
    }

    fn complete(mut self, result: io::Result<u32>) -> BufResult<usize, B> {
        let result = result.map(|length| length as usize);
        if let Ok(length) = result {
            // SAFETY: the kernel has written that many bytes to the room, which is not smaller.
            unsafe { self.buf.set_init(length) };
        }
        (result, self.buf)
    }
}

/// Sends what there is room for in the socket, once there is some.
pub(crate) struct Send<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
}

// SAFETY: the bytes are the buffer's, which belongs to the operation and keeps them in their place. The
// operation shares in the descriptor.
unsafe impl<B: IoBuf> Operation for Send<B> {
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let bytes = length(self.buf.bytes_init());
        // A peer that has gone is an error, and no signal.
        let flags = SendFlags::NOSIGNAL.bits() as i32;
        opcode::Send::new(raw(&self.socket), self.buf.as_ptr(), bytes).flags(flags).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        (result.map(|length| length as usize), self.buf)
    }
}

/// Receives into several buffers, one behind the other.
pub(crate) struct RecvVectored<B: 'static> {
    pub(crate) socket: Shared,
    pub(crate) bufs: Vectored<B>,
}

// SAFETY: the slices are on the heap. They point to the room of the buffers, which stays in its place. All
// belongs to the operation, which shares in the descriptor.
unsafe impl<B: IoBufMut> Operation for RecvVectored<B> {
    type Output = BufResult<usize, Vec<B>>;

    fn entry(&mut self) -> squeue::Entry {
        let slices = self.bufs.rooms();
        opcode::Readv::new(raw(&self.socket), slices.as_ptr().cast(), length(slices.len())).build()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|length| length as usize);
        // SAFETY: the kernel has filled the rooms in their order.
        let bufs = unsafe { self.bufs.filled(*result.as_ref().unwrap_or(&0)) };
        (result, bufs)
    }
}

/// Sends several buffers, one behind the other.
pub(crate) struct SendVectored<B: 'static> {
    pub(crate) socket: Shared,
    pub(crate) bufs: Vectored<B>,
}

// SAFETY: as for `RecvVectored`.
unsafe impl<B: IoBuf> Operation for SendVectored<B> {
    type Output = BufResult<usize, Vec<B>>;

    fn entry(&mut self) -> squeue::Entry {
        let slices = self.bufs.slices();
        opcode::Writev::new(raw(&self.socket), slices.as_ptr().cast(), length(slices.len())).build()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result.map(|length| length as usize), self.bufs.into_inner())
    }
}

/// Connects a socket.
pub(crate) struct Connect {
    socket: Shared,
    /// On the heap, because the kernel reads it when it gets to it, and until then this may move. Not in
    /// a box: a pointer into a box is void as soon as the box is moved.
    address: Rc<SocketAddrAny>,
}

impl Connect {
    pub(crate) fn new(socket: Shared, address: SocketAddr) -> Connect {
        Connect { socket, address: Rc::new(address.as_any()) }
    }
}

// SAFETY: the address is on the heap, and belongs to the operation, which shares in the descriptor.
unsafe impl Operation for Connect {
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        let length = self.address.addr_len();
        opcode::Connect::new(raw(&self.socket), self.address.as_ptr().cast(), length).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}

/// Waits until a socket is ready: epoll's question, asked of a ring.
pub(crate) struct Poll {
    pub(crate) socket: Shared,
    pub(crate) events: u32,
}

// SAFETY: the entry points to no memory, and the operation shares in the descriptor.
unsafe impl Operation for Poll {
    type Output = io::Result<()>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::PollAdd::new(raw(&self.socket), self.events).build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}

/// Accepts one connection.
pub(crate) struct Accept {
    pub(crate) listener: Shared,
}

// SAFETY: the entry points to no memory, and the operation shares in the descriptor.
unsafe impl Operation for Accept {
    type Output = io::Result<OwnedFd>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Accept::new(raw(&self.listener), ptr::null_mut(), ptr::null_mut())
            .flags(SocketFlags::CLOEXEC.bits() as i32)
            .build()
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<OwnedFd> {
        result.map(accepted)
    }
}

/// Takes over the descriptor of a new connection.
fn accepted(fd: u32) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor, and told nobody else. If nobody fetches the
    // connection, dropping it closes it.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

/// Accepts connections, again and again. Needs Linux 5.19; before that, the kernel refuses.
pub(crate) struct AcceptMany {
    pub(crate) listener: Shared,
}

// SAFETY: the entry points to no memory, and the operation shares in the descriptor.
unsafe impl Streaming for AcceptMany {
    type Item = io::Result<OwnedFd>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::AcceptMulti::new(raw(&self.listener))
            .flags(SocketFlags::CLOEXEC.bits() as i32)
            .build()
    }

    fn item(&mut self, completion: Completion) -> io::Result<OwnedFd> {
        completion.result().map(accepted)
    }
}
