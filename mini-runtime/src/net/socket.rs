use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::slice;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, sockopt};

use crate::driver::Driver;
use crate::driver::epoll::{Direction, Readiness};
use crate::driver::uring::{Op, ops};
use crate::io::{BufResult, IoBuf, IoBufMut, Vectored};
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

    /// Connects.
    pub(crate) async fn connect(self: &Rc<Self>, address: SocketAddr) -> io::Result<()> {
        let Some(readiness) = self.readiness() else {
            return Op::submit(&self.core, ops::Connect::new(self.clone(), address)).await;
        };
        match rustix::net::connect(&self.fd, &address) {
            Ok(()) => return Ok(()),
            // Interrupted by a signal, the kernel goes on connecting all the same.
            Err(Errno::INPROGRESS | Errno::INTR) => readiness.clear(Direction::Write),
            Err(error) => return Err(error.into()),
        }
        // A socket that is done connecting becomes writable, whether it succeeded or not.
        poll_fn(|cx| readiness.poll_ready(Direction::Write, cx)).await;
        Ok(sockopt::socket_error(&self.fd)??)
    }

    // ANCHOR: recv
    /// Receives what is there, once there is something.
    pub(crate) async fn recv<B: IoBufMut>(self: &Rc<Self>, mut buf: B) -> BufResult<usize, B> {
        let Some(readiness) = self.readiness() else {
            return Op::submit(&self.core, ops::Recv { socket: self.clone(), buf }).await;
        };
        let room = buf.bytes_total();
        let result = poll_fn(|cx| {
            // SAFETY: the buffer has this room, and nobody else uses it meanwhile.
            let room = unsafe { slice::from_raw_parts_mut(buf.as_mut_ptr().cast(), room) };
            readiness.poll_io(Direction::Read, cx, || {
                let room: &mut [MaybeUninit<u8>] = room;
                rustix::net::recv(&self.fd, room, RecvFlags::empty()).map(|(_, length)| length)
            })
        })
        .await;
        if let Ok(length) = result {
            if length < room {
                readiness.drained(Direction::Read);
            }
            // SAFETY: the kernel has written that many bytes.
            unsafe { buf.set_init(length) };
        }
        (result, buf)
    }
    // ANCHOR_END: recv

    /// Sends what there is room for, once there is some.
    pub(crate) async fn send<B: IoBuf>(self: &Rc<Self>, buf: B) -> BufResult<usize, B> {
        let Some(readiness) = self.readiness() else {
            return Op::submit(&self.core, ops::Send { socket: self.clone(), buf }).await;
        };
        // SAFETY: the buffer has these bytes, and nobody writes to them meanwhile.
        let bytes = unsafe { slice::from_raw_parts(buf.as_ptr(), buf.bytes_init()) };
        let result = poll_fn(|cx| {
            readiness.poll_io(Direction::Write, cx, || {
                rustix::net::send(&self.fd, bytes, SendFlags::NOSIGNAL)
            })
        })
        .await;
        if let Ok(length) = result
            && length < bytes.len()
        {
            readiness.drained(Direction::Write);
        }
        (result, buf)
    }

    /// Receives into several buffers, one behind the other.
    pub(crate) async fn recv_vectored<B: IoBufMut>(
        self: &Rc<Self>,
        bufs: Vec<B>,
    ) -> BufResult<usize, Vec<B>> {
        let mut bufs = Vectored::new(bufs);
        let Some(readiness) = self.readiness() else {
            let recv = ops::RecvVectored { socket: self.clone(), bufs };
            return Op::submit(&self.core, recv).await;
        };
        let rooms = bufs.rooms();
        let result = poll_fn(|cx| {
            readiness.poll_io(Direction::Read, cx, || rustix::io::readv(&self.fd, rooms))
        })
        .await;
        // SAFETY: the kernel has filled the rooms in their order.
        let bufs = unsafe { bufs.filled(*result.as_ref().unwrap_or(&0)) };
        (result, bufs)
    }

    /// Sends several buffers, one behind the other.
    pub(crate) async fn send_vectored<B: IoBuf>(
        self: &Rc<Self>,
        bufs: Vec<B>,
    ) -> BufResult<usize, Vec<B>> {
        let mut bufs = Vectored::new(bufs);
        let Some(readiness) = self.readiness() else {
            let send = ops::SendVectored { socket: self.clone(), bufs };
            return Op::submit(&self.core, send).await;
        };
        let slices = bufs.slices();
        let result = poll_fn(|cx| {
            readiness.poll_io(Direction::Write, cx, || rustix::io::writev(&self.fd, slices))
        })
        .await;
        (result, bufs.into_inner())
    }

    /// Waits until a call in this direction is worth a try.
    pub(crate) async fn ready(self: &Rc<Self>, direction: Direction) -> io::Result<()> {
        if let Some(readiness) = self.readiness() {
            poll_fn(|cx| readiness.poll_ready(direction, cx)).await;
            return Ok(());
        }
        let events = match direction {
            Direction::Read => PollFlags::IN | PollFlags::RDHUP,
            Direction::Write => PollFlags::OUT,
        };
        let poll = ops::Poll { socket: self.clone(), events: events.bits() as u32 };
        Op::submit(&self.core, poll).await
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
