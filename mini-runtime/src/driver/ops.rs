//! The operations.

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::rc::Rc;
use std::slice;

use io_uring::types::Fd;
use io_uring::{opcode, squeue};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketFlags,
    sockopt,
};

use super::epoll::Direction;
use super::op::Operation;
use super::uring::{Completion, Streaming};
use crate::io::{BufResult, Bufs, IoBuf, IoBufMut, as_rooms, as_slices};
use crate::net::message::Message;
use crate::net::socket::Socket;

/// What an operation works on. It shares in it, so the descriptor stays open, and its number is not given
/// to another file, until the kernel has let go.
pub(crate) type Shared = Rc<Socket>;

fn raw(socket: &Shared) -> Fd {
    Fd(socket.as_fd().as_raw_fd())
}

/// The kernel moves no more than this at once: the largest result that it can tell. The rest is left for the
/// next time.
const MOST: u32 = i32::MAX as u32;

fn length(bytes: usize) -> u32 {
    bytes.min(MOST as usize) as u32
}

/// Receives into a part of a buffer, without waiting.
///
/// # Safety
/// There is so much room, and nobody else uses it meanwhile.
unsafe fn recv_now(socket: &Socket, room: *mut u8, bytes: usize) -> Result<u32, Errno> {
    let bytes = length(bytes) as usize;
    // SAFETY: as the caller promises.
    let room: &mut [MaybeUninit<u8>] = unsafe { slice::from_raw_parts_mut(room.cast(), bytes) };
    let (_, received) = rustix::net::recv(socket, room, RecvFlags::DONTWAIT)?;
    if received < bytes {
        socket.drained(Direction::Read);
    }
    Ok(received as u32)
}

/// Sends a part of a buffer, without waiting.
///
/// # Safety
/// There are so many bytes, and nobody writes to them meanwhile.
unsafe fn send_now(socket: &Socket, bytes: *const u8, length_of: usize) -> Result<u32, Errno> {
    let wanted = length(length_of) as usize;
    // SAFETY: as the caller promises.
    let bytes = unsafe { slice::from_raw_parts(bytes, wanted) };
    let sent = rustix::net::send(socket, bytes, SEND)?;
    if sent < wanted {
        socket.drained(Direction::Write);
    }
    Ok(sent as u32)
}

/// For calls that are not to wait. A peer that has gone is an error, and no signal.
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

fn recv_entry(socket: &Shared, room: *mut u8, bytes: usize) -> squeue::Entry {
    opcode::Recv::new(raw(socket), room, length(bytes)).build()
}

fn send_entry(socket: &Shared, bytes: *const u8, length_of: usize) -> squeue::Entry {
    let flags = SendFlags::NOSIGNAL.bits() as i32;
    opcode::Send::new(raw(socket), bytes, length(length_of)).flags(flags).build()
}

/// Receives what a socket has, once it has something.
pub(crate) struct Recv<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
}

// SAFETY: the room is the buffer's, which belongs to the operation and keeps it in its place. The
// operation shares in the socket.
unsafe impl<B: IoBufMut> Operation for Recv<B> {
    type Output = BufResult<usize, B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Read
    }

    fn entry(&mut self) -> squeue::Entry {
        recv_entry(&self.socket, self.buf.as_mut_ptr(), self.buf.bytes_total())
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        // SAFETY: the buffer belongs to the operation, and has that room.
        unsafe { recv_now(&self.socket, self.buf.as_mut_ptr(), self.buf.bytes_total()) }
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

/// Receives until the room of a buffer is full.
pub(crate) struct RecvExact<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
    pub(crate) filled: usize,
}

impl<B: IoBufMut> RecvExact<B> {
    fn rest(&mut self) -> (*mut u8, usize) {
        // SAFETY: so many bytes of the room are filled.
        let room = unsafe { self.buf.as_mut_ptr().add(self.filled) };
        (room, self.buf.bytes_total() - self.filled)
    }
}

// SAFETY: as for `Recv`.
unsafe impl<B: IoBufMut> Operation for RecvExact<B> {
    type Output = BufResult<(), B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Read
    }

    fn entry(&mut self) -> squeue::Entry {
        let (room, bytes) = self.rest();
        recv_entry(&self.socket, room, bytes)
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        let (room, bytes) = self.rest();
        // SAFETY: the buffer belongs to the operation, and has that room left.
        unsafe { recv_now(&self.socket, room, bytes) }
    }

    fn is_needless(&self) -> bool {
        self.filled == self.buf.bytes_total()
    }

    fn goes_on(&mut self, length: u32) -> bool {
        self.filled += length as usize;
        length > 0 && !self.is_needless()
    }

    fn complete(mut self, result: io::Result<u32>) -> BufResult<(), B> {
        // An error that came at once leaves the buffer as it was.
        if result.is_ok() || self.filled > 0 {
            // SAFETY: the kernel has filled that much of the room.
            unsafe { self.buf.set_init(self.filled) };
        }
        let is_full = self.is_needless();
        let result = match result {
            Ok(_) if !is_full => Err(io::ErrorKind::UnexpectedEof.into()),
            result => result.map(drop),
        };
        (result, self.buf)
    }
}

/// Sends what there is room for in the socket, once there is some.
pub(crate) struct Send<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
}

// SAFETY: the bytes are the buffer's, which belongs to the operation and keeps them in their place. The
// operation shares in the socket.
unsafe impl<B: IoBuf> Operation for Send<B> {
    type Output = BufResult<usize, B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn entry(&mut self) -> squeue::Entry {
        send_entry(&self.socket, self.buf.as_ptr(), self.buf.bytes_init())
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        // SAFETY: the buffer belongs to the operation, and has these bytes.
        unsafe { send_now(&self.socket, self.buf.as_ptr(), self.buf.bytes_init()) }
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        (result.map(|length| length as usize), self.buf)
    }
}

/// Sends until all of a buffer is in the socket.
pub(crate) struct SendAll<B> {
    pub(crate) socket: Shared,
    pub(crate) buf: B,
    pub(crate) sent: usize,
}

impl<B: IoBuf> SendAll<B> {
    fn rest(&self) -> (*const u8, usize) {
        // SAFETY: so many of the bytes are sent.
        let bytes = unsafe { self.buf.as_ptr().add(self.sent) };
        (bytes, self.buf.bytes_init() - self.sent)
    }
}

// SAFETY: as for `Send`.
unsafe impl<B: IoBuf> Operation for SendAll<B> {
    type Output = BufResult<(), B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn entry(&mut self) -> squeue::Entry {
        let (bytes, length) = self.rest();
        send_entry(&self.socket, bytes, length)
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        let (bytes, length) = self.rest();
        // SAFETY: the buffer belongs to the operation, and has these bytes left.
        unsafe { send_now(&self.socket, bytes, length) }
    }

    fn is_needless(&self) -> bool {
        self.sent == self.buf.bytes_init()
    }

    fn goes_on(&mut self, length: u32) -> bool {
        self.sent += length as usize;
        length > 0 && !self.is_needless()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<(), B> {
        let result = match result {
            Ok(_) if !self.is_needless() => Err(io::ErrorKind::WriteZero.into()),
            result => result.map(drop),
        };
        (result, self.buf)
    }
}

/// Receives into one buffer or several, and says who has sent that.
pub(crate) struct RecvMsg<B> {
    socket: Shared,
    bufs: B,
    message: Message,
}

impl<B: Bufs<Buf: IoBufMut>> RecvMsg<B> {
    pub(crate) fn new(socket: Shared, mut bufs: B) -> RecvMsg<B> {
        let mut message = socket.message(Direction::Read);
        bufs.rooms(message.pieces());
        message.expect_address();
        RecvMsg { socket, bufs, message }
    }
}

// SAFETY: the message is on the heap. It points to the room of the buffers, which stays in its place. All
// belongs to the operation, which shares in the socket.
unsafe impl<B: Bufs<Buf: IoBufMut>> Operation for RecvMsg<B> {
    type Output = BufResult<(usize, Option<SocketAddrAny>), B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Read
    }

    fn entry(&mut self) -> squeue::Entry {
        opcode::RecvMsg::new(raw(&self.socket), self.message.header().cast()).build()
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        // SAFETY: the buffers belong to the operation, and the call gives their room to the kernel alone.
        let rooms = unsafe { as_rooms(self.message.pieces()) };
        let mut control = RecvAncillaryBuffer::default();
        let flags = RecvFlags::DONTWAIT;
        let received = rustix::net::recvmsg(&*self.socket, rooms, &mut control, flags)?;
        self.message.set_address(received.address.as_ref());
        Ok(received.bytes as u32)
    }

    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|length| {
            let length = length as usize;
            // SAFETY: the kernel has filled the rooms in their order.
            unsafe { self.bufs.filled(length) };
            (length, self.message.address())
        });
        self.socket.keep_message(Direction::Read, self.message);
        (result, self.bufs)
    }
}

/// Sends one buffer or several, to an address or to where the socket is connected to.
pub(crate) struct SendMsg<B> {
    socket: Shared,
    bufs: B,
    message: Message,
    flags: SendFlags,
}

impl<B: Bufs> SendMsg<B> {
    /// To where the socket is connected to.
    pub(crate) fn new(socket: Shared, mut bufs: B) -> SendMsg<B> {
        let mut message = socket.message(Direction::Write);
        bufs.bytes(message.pieces());
        message.set_address(None);
        SendMsg { socket, bufs, message, flags: SendFlags::NOSIGNAL }
    }

    /// One datagram. It fails if there is no room: a ring that waits for room, and tries again then, goes
    /// on behind the bytes that it has copied in vain, and sends what is left.
    pub(crate) fn datagram(socket: Shared, bufs: B, to: Option<&SocketAddrAny>) -> SendMsg<B> {
        let mut send = SendMsg::new(socket, bufs);
        send.message.set_address(to);
        SendMsg { flags: SEND, ..send }
    }
}

// SAFETY: the message is on the heap. It points to the bytes of the buffers, which stay in their place. All
// belongs to the operation, which shares in the socket.
unsafe impl<B: Bufs> Operation for SendMsg<B> {
    type Output = BufResult<usize, B>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn entry(&mut self) -> squeue::Entry {
        opcode::SendMsg::new(raw(&self.socket), self.message.header().cast_const().cast())
            .flags(self.flags.bits())
            .build()
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        let mut control = SendAncillaryBuffer::default();
        let to = self.message.address();
        // SAFETY: the buffers belong to the operation, and nobody writes to them.
        let slices = unsafe { as_slices(self.message.pieces()) };
        let sent = match to {
            Some(to) => rustix::net::sendmsg_addr(&*self.socket, &to, slices, &mut control, SEND),
            None => rustix::net::sendmsg(&*self.socket, slices, &mut control, SEND),
        };
        Ok(sent? as u32)
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        self.socket.keep_message(Direction::Write, self.message);
        (result.map(|length| length as usize), self.bufs)
    }
}

/// Connects a socket.
pub(crate) struct Connect {
    socket: Shared,
    /// On the heap, because the kernel reads it when it gets to it, and until then this may move. Not in
    /// a box: a pointer into a box is void as soon as the box is moved.
    address: Rc<SocketAddrAny>,
    is_begun: bool,
}

impl Connect {
    pub(crate) fn new(socket: Shared, address: SocketAddrAny) -> Connect {
        Connect { socket, address: Rc::new(address), is_begun: false }
    }
}

// SAFETY: the address is on the heap, and belongs to the operation, which shares in the descriptor.
unsafe impl Operation for Connect {
    type Output = io::Result<()>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        Direction::Write
    }

    fn entry(&mut self) -> squeue::Entry {
        let length = self.address.addr_len();
        opcode::Connect::new(raw(&self.socket), self.address.as_ptr().cast(), length).build()
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        if !mem::replace(&mut self.is_begun, true) {
            return match rustix::net::connect(&*self.socket, &*self.address) {
                Ok(()) => Ok(0),
                // Interrupted by a signal, the kernel goes on connecting all the same.
                Err(Errno::INPROGRESS | Errno::INTR) => Err(Errno::AGAIN),
                Err(error) => Err(error),
            };
        }
        // A socket that is done connecting becomes writable, whether it succeeded or not.
        sockopt::socket_error(&*self.socket)??;
        match rustix::net::getpeername(&*self.socket) {
            Err(Errno::NOTCONN) => Err(Errno::AGAIN),
            connected => connected.map(|_| 0),
        }
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}

/// Waits until a socket is ready: epoll's question, asked of a ring.
pub(crate) struct Poll {
    pub(crate) socket: Shared,
    pub(crate) direction: Direction,
}

// SAFETY: the entry points to no memory, and the operation shares in the socket.
unsafe impl Operation for Poll {
    type Output = io::Result<()>;

    fn socket(&self) -> &Shared {
        &self.socket
    }

    fn direction(&self) -> Direction {
        self.direction
    }

    fn entry(&mut self) -> squeue::Entry {
        let events = match self.direction {
            Direction::Read => PollFlags::IN | PollFlags::RDHUP,
            Direction::Write => PollFlags::OUT,
        };
        opcode::PollAdd::new(raw(&self.socket), events.bits() as u32).build()
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        Ok(0)
    }

    fn complete(self, result: io::Result<u32>) -> io::Result<()> {
        result.map(drop)
    }
}

/// Accepts one connection.
pub(crate) struct Accept {
    pub(crate) listener: Shared,
}

// SAFETY: the entry points to no memory, and the operation shares in the socket.
unsafe impl Operation for Accept {
    type Output = io::Result<OwnedFd>;

    fn socket(&self) -> &Shared {
        &self.listener
    }

    fn direction(&self) -> Direction {
        Direction::Read
    }

    fn attempt(&mut self) -> Result<u32, Errno> {
        let fd = rustix::net::accept_with(&*self.listener, SocketFlags::CLOEXEC)?;
        Ok(fd.into_raw_fd() as u32)
    }

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

// SAFETY: the entry points to no memory, and the operation shares in the socket.
unsafe impl Streaming for AcceptMany {
    type Item = io::Result<OwnedFd>;

    fn socket(&self) -> &Shared {
        &self.listener
    }

    fn entry(&mut self) -> squeue::Entry {
        opcode::AcceptMulti::new(raw(&self.listener))
            .flags(SocketFlags::CLOEXEC.bits() as i32)
            .build()
    }

    fn item(&mut self, completion: Completion) -> io::Result<OwnedFd> {
        completion.result().map(accepted)
    }
}
