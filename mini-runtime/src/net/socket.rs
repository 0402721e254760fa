use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::io::Errno;

use crate::driver::Driver;
use crate::driver::epoll::{Direction, Readiness};
use crate::driver::op::Op;
use crate::driver::ops;
use crate::io::{IoBuf, IoBufMut, Vectored};
use crate::runtime::Core;
use crate::slab::Key;

/// A descriptor of a runtime. It is non-blocking on epoll, and blocking on a ring, where the kernel waits
/// on our behalf.
pub(crate) struct Socket {
    pub(crate) core: Rc<Core>,
    fd: OwnedFd,
    /// With epoll, what is known of its readiness.
    registration: Option<(Key, Rc<Readiness>)>,
}

impl Socket {
    /// # Errors
    /// If epoll does not take this kind of descriptor.
    pub(crate) fn new(core: Rc<Core>, fd: OwnedFd) -> io::Result<Rc<Socket>> {
        let registration = match &core.driver {
            Driver::Epoll(epoll) => {
                rustix::io::ioctl_fionbio(&fd, true)?;
                Some(epoll.add(fd.as_fd())?)
            }
            Driver::Uring(_) => {
                rustix::io::ioctl_fionbio(&fd, false)?;
                None
            }
        };
        Ok(Rc::new(Socket { core, fd, registration }))
    }

    /// With epoll, what is known of its readiness.
    pub(crate) fn readiness(&self) -> Option<&Readiness> {
        self.registration.as_ref().map(|(_, readiness)| &**readiness)
    }

    /// With epoll, notes that the next call in this direction would block.
    pub(crate) fn drained(&self, direction: Direction) {
        if let Some(readiness) = self.readiness() {
            readiness.drained(direction);
        }
    }

    /// Connects.
    pub(crate) fn connect(self: &Rc<Self>, address: SocketAddr) -> Op<ops::Connect> {
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

    /// Receives into several buffers, one behind the other.
    pub(crate) fn recv_vectored<B: IoBufMut>(
        self: &Rc<Self>,
        bufs: Vec<B>,
    ) -> Op<ops::RecvVectored<B>> {
        Op::new(ops::RecvVectored { socket: self.clone(), bufs: Vectored::new(bufs) })
    }

    /// Sends several buffers, one behind the other.
    pub(crate) fn send_vectored<B: IoBuf>(
        self: &Rc<Self>,
        bufs: Vec<B>,
    ) -> Op<ops::SendVectored<B>> {
        Op::new(ops::SendVectored { socket: self.clone(), bufs: Vectored::new(bufs) })
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
        call: impl FnOnce() -> Result<T, Errno>,
    ) -> io::Result<T> {
        let result = call();
        if let (Err(Errno::AGAIN), Some(readiness)) = (&result, self.readiness()) {
            readiness.clear(direction);
        }
        Ok(result?)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let (Driver::Epoll(epoll), Some((key, _))) = (&self.core.driver, &self.registration) {
            epoll.remove(*key, self.fd.as_fd());
        }
    }
}
