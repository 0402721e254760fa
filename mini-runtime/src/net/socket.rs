use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrAny};

use super::message::Message;
use crate::context;
use crate::driver::Driver;
use crate::driver::epoll::{Direction, Readiness};
use crate::driver::op::{Op, Operation};
use crate::driver::ops;
use crate::driver::uring::Slot;
use crate::io::{BufResult, Bufs, IoBuf, IoBufMut, only};
use crate::runtime::Core;
use crate::slab::Key;
use crate::time::nap;

/// How long to wait for room at another Unix socket. The kernel tells nobody when there is some.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// A descriptor of a runtime.
///
/// Whether it is in non-blocking mode does not matter to most system calls: each of them is told not to
/// wait. So a socket that comes from elsewhere stays as it is, for others may share in it. Only `accept` and
/// `connect` go by the mode: it is non-blocking for them on epoll, and blocking on a ring, where the
/// kernel waits on our behalf.
pub(crate) struct Socket {
    pub(crate) core: Rc<Core>,
    fd: ManuallyDrop<OwnedFd>,
    /// Unset when the descriptor was closed, or given away.
    has_fd: Cell<bool>,
    /// Set if we have put it into non-blocking mode, which nobody expects who gets it back.
    is_nonblocking: bool,
    kind: Kind,
    /// With epoll, what is known of its readiness.
    registration: Option<(Key, Rc<Readiness>)>,
    /// With a ring, for each direction, the slot of the last operation, to be used again.
    slots: [Cell<Option<Rc<Slot>>>; 2],
    /// For each direction, what the last message was made of, to be used again.
    messages: [Cell<Option<Message>>; 2],
}

/// What a short call says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It would block: a short read has brought all there was, and a short write has filled all the room.
    Tcp,
    /// Nothing. A Unix stream also ends a read where a descriptor comes with the bytes. A datagram may be
    /// followed by the next.
    Other,
}

impl Socket {
    /// With epoll, what is known of its readiness.
    pub(crate) fn readiness(&self) -> Option<&Readiness> {
        self.registration.as_ref().map(|(_, readiness)| &**readiness)
    }

    /// With epoll, notes that the next call in this direction would block, because the last one was short.
    pub(crate) fn drained(&self, direction: Direction) {
        if self.kind == Kind::Tcp
            && let Some(readiness) = self.readiness()
        {
            readiness.drained(direction);
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    // ANCHOR: keep_slot
    /// A free slot of the ring, if one was kept.
    #[inline]
    pub(crate) fn slot(&self, direction: Direction) -> Option<Rc<Slot>> {
        self.slots[direction as usize].take()
    }

    /// Keeps a slot that is free, to be used again.
    #[inline]
    pub(crate) fn keep_slot(&self, direction: Direction, slot: Rc<Slot>) {
        if let Some(slot) = self.slots[direction as usize].replace(Some(slot)) {
            self.free(&slot);
        }
    }
    // ANCHOR_END: keep_slot

    #[cold]
    fn free(&self, slot: &Slot) {
        if let Driver::Uring(uring) = &self.core.driver {
            uring.free(slot);
        }
    }

    /// What a message is made of.
    pub(crate) fn message(&self, direction: Direction) -> Message {
        self.messages[direction as usize].take().unwrap_or_else(Message::new)
    }

    /// Keeps a message, to be used again.
    pub(crate) fn keep_message(&self, direction: Direction, message: Message) {
        self.messages[direction as usize].set(Some(message));
    }

    /// Connects.
    pub(crate) fn connect(self: &Rc<Self>, address: SocketAddrAny) -> Op<ops::Connect> {
        Op::new(ops::Connect::new(self.clone(), address))
    }

    /// Receives what is there, once there is something.
    pub(crate) fn recv<B: IoBufMut>(self: &Rc<Self>, buf: B) -> Op<ops::Recv<B>> {
        Op::new(ops::Recv { socket: self.clone(), buf })
    }

    /// Receives until the room of the buffer is full.
    pub(crate) fn recv_exact<B: IoBufMut>(self: &Rc<Self>, buf: B) -> Op<ops::RecvExact<B>> {
        Op::new(ops::RecvExact { socket: self.clone(), buf, filled: 0 })
    }

    /// Sends what there is room for, once there is some.
    pub(crate) fn send<B: IoBuf>(self: &Rc<Self>, buf: B) -> Op<ops::Send<B>> {
        Op::new(ops::Send { socket: self.clone(), buf })
    }

    /// Sends all of the buffer.
    pub(crate) fn send_all<B: IoBuf>(self: &Rc<Self>, buf: B) -> Op<ops::SendAll<B>> {
        Op::new(ops::SendAll { socket: self.clone(), buf, sent: 0 })
    }

    /// Receives into several buffers, one behind the other, and who has sent that.
    pub(crate) fn recv_msg<B: Bufs<Buf: IoBufMut>>(
        self: &Rc<Self>,
        bufs: B,
    ) -> Op<ops::RecvMsg<B>> {
        Op::new(ops::RecvMsg::new(self.clone(), bufs))
    }

    /// Sends several buffers, one behind the other.
    pub(crate) fn send_msg<B: Bufs>(self: &Rc<Self>, bufs: B) -> Op<ops::SendMsg<B>> {
        Op::new(ops::SendMsg::new(self.clone(), bufs))
    }

    /// Sends a datagram there, or to where the socket is connected to.
    pub(crate) async fn send_datagram<B: IoBuf>(
        self: &Rc<Self>,
        mut buf: B,
        to: Option<SocketAddrAny>,
    ) -> BufResult<usize, B> {
        // What is full then is the queue of the receiver, which says nothing of this socket.
        let is_theirs = to.as_ref().is_some_and(is_unix);
        loop {
            if self.readiness().is_some() {
                // It may be sent at once, and so may the next one.
                context::allowance().await;
            }
            let mut send = ops::SendMsg::datagram(self.clone(), [buf], to.as_ref());
            let (result, bufs) = if self.readiness().is_none() {
                Op::new(send).await
            } else if is_theirs {
                let result = retry_on_intr(|| send.attempt());
                send.complete(result.map_err(Into::into))
            } else {
                let result = self.try_io(Direction::Write, || send.attempt());
                send.complete(result)
            };
            buf = only(bufs);
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return (result, buf),
            }
            let waited = match is_theirs {
                true => nap(&self.core, PAUSE).await,
                false => self.ready(Direction::Write).await,
            };
            if let Err(error) = waited {
                return (Err(error), buf);
            }
        }
    }

    /// Receives a datagram, and who has sent it, without waiting.
    pub(crate) fn try_recv_from(
        &self,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> io::Result<(usize, Option<SocketAddrAny>)> {
        self.try_io(Direction::Read, || {
            rustix::net::recvfrom(self, &mut *buffer, flags | RecvFlags::DONTWAIT)
                .map(|(_, length, sender)| (length, sender))
        })
    }

    /// Waits for a datagram, copies it, and leaves it where it is.
    pub(crate) async fn peek_from(
        self: &Rc<Self>,
        buffer: &mut [u8],
    ) -> io::Result<(usize, Option<SocketAddrAny>)> {
        let look = || self.try_recv_from(buffer, RecvFlags::PEEK);
        peek(look, async || self.ready(Direction::Read).await).await
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let how = match how {
            Shutdown::Read => rustix::net::Shutdown::Read,
            Shutdown::Write => rustix::net::Shutdown::Write,
            Shutdown::Both => rustix::net::Shutdown::Both,
        };
        Ok(rustix::net::shutdown(self, how)?)
    }

    /// Waits until a call in this direction is worth a try.
    pub(crate) fn ready(self: &Rc<Self>, direction: Direction) -> Op<ops::Poll> {
        Op::new(ops::Poll { socket: self.clone(), direction })
    }

    /// Makes a call that does not block, and notes if it would have.
    ///
    /// # Errors
    /// The call's own, and `WouldBlock`.
    pub(crate) fn try_io<T>(
        &self,
        direction: Direction,
        call: impl FnMut() -> Result<T, Errno>,
    ) -> io::Result<T> {
        let result = retry_on_intr(call);
        if let (Err(Errno::AGAIN), Some(readiness)) = (&result, self.readiness()) {
            readiness.clear(direction);
        }
        Ok(result?)
    }

    /// Takes the descriptor out. Nobody may use it here any more.
    fn take_fd(&self) -> Option<OwnedFd> {
        if !self.has_fd.replace(false) {
            return None;
        }
        if let (Driver::Epoll(epoll), Some((key, _))) = (&self.core.driver, &self.registration) {
            epoll.remove(*key, self.fd.as_fd());
        }
        // SAFETY: the descriptor is ours, and is dropped nowhere else: that `has_fd` was set says so.
        Some(unsafe { OwnedFd::from_raw_fd(self.fd.as_raw_fd()) })
    }
}

/// Looks at what is there as soon as something is, and leaves it there.
pub(super) async fn peek<T>(
    mut look: impl FnMut() -> io::Result<T>,
    ready: impl AsyncFn() -> io::Result<()>,
) -> io::Result<T> {
    loop {
        match look() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready().await?,
            result => {
                // It is there the next time, too.
                context::allowance().await;
                return result;
            }
        }
    }
}

pub(crate) fn is_unix(address: &SocketAddrAny) -> bool {
    address.address_family() == AddressFamily::UNIX
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(self.take_fd());
        for direction in [Direction::Read, Direction::Write] {
            self.slot(direction).inspect(|slot| self.free(slot));
        }
    }
}

/// The share in a socket of whoever uses it. The others are those of operations, and of those only the ones
/// that were given up are left when this is dropped.
///
/// They come to their end when the ring is visited, which may be much later. A peer should hear of the end
/// now, and the port of a listener should be free now. So the descriptor does not wait for them: as soon
/// as the kernel has taken an operation from the queue, it has a share of its own in the open file, and
/// the number is no longer of interest to it. The cancellation gives that share back, in the same call.
pub(crate) struct Owner(Rc<Socket>);

impl Owner {
    /// For sending and receiving.
    ///
    /// # Errors
    /// If epoll does not take this kind of descriptor, or the kernel is short of memory.
    pub(crate) fn new(core: Rc<Core>, fd: OwnedFd, kind: Kind) -> io::Result<Owner> {
        Owner::make(core, fd, kind, false)
    }

    /// For `accept`, too.
    ///
    /// # Errors
    /// As `new`.
    pub(crate) fn accepting(core: Rc<Core>, fd: OwnedFd, kind: Kind) -> io::Result<Owner> {
        let is_nonblocking = matches!(core.driver, Driver::Epoll(_));
        rustix::io::ioctl_fionbio(&fd, is_nonblocking)?;
        Owner::make(core, fd, kind, is_nonblocking)
    }

    /// For `connect`, too. The descriptor is new, and blocking.
    ///
    /// # Errors
    /// As `new`.
    pub(crate) fn connecting(core: Rc<Core>, fd: OwnedFd, kind: Kind) -> io::Result<Owner> {
        match core.driver {
            Driver::Epoll(_) => Owner::accepting(core, fd, kind),
            Driver::Uring(_) => Owner::new(core, fd, kind),
        }
    }

    fn make(core: Rc<Core>, fd: OwnedFd, kind: Kind, is_nonblocking: bool) -> io::Result<Owner> {
        let registration = match &core.driver {
            Driver::Epoll(epoll) => Some(epoll.add(fd.as_fd())?),
            Driver::Uring(_) => None,
        };
        Ok(Owner(Rc::new(Socket {
            core,
            fd: ManuallyDrop::new(fd),
            has_fd: Cell::new(true),
            is_nonblocking,
            kind,
            registration,
            slots: Default::default(),
            messages: Default::default(),
        })))
    }

    /// The descriptor, for who wants to go on without the runtime.
    ///
    /// # Errors
    /// If no descriptors are left. One more is needed, if the kernel is too short of memory to take what
    /// is in the queue of the ring.
    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        let taken = if self.is_free() { self.0.take_fd() } else { None };
        let fd = match taken {
            Some(fd) => fd,
            None => self.0.fd.try_clone()?,
        };
        if self.0.is_nonblocking {
            rustix::io::ioctl_fionbio(&fd, false)?;
        }
        Ok(fd)
    }

    /// Whether the number of the descriptor is of no interest to the kernel any more.
    fn is_free(&self) -> bool {
        match &self.0.core.driver {
            Driver::Uring(uring) if Rc::strong_count(&self.0) > 1 => uring.hand_over(),
            _ => true,
        }
    }
}

impl AsFd for Owner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Deref for Owner {
    type Target = Rc<Socket>;

    fn deref(&self) -> &Rc<Socket> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.0.has_fd.get() && self.is_free() {
            drop(self.0.take_fd());
        }
    }
}
