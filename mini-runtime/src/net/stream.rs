use std::cell::{OnceCell, RefCell, RefMut};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use rustix::net::{RecvFlags, SendAncillaryBuffer};

use super::polled::{Reading, Writing};
use super::socket::{Owner, peek};
use crate::cell::poll_borrow;
use crate::context;
use crate::driver::epoll::Direction;
use crate::driver::op::{Op, Operation};
use crate::driver::ops::SEND;
use crate::io::{AsyncReadOwned, BufResult, IoBufMut, MAX_PIECES, fill_by_reads};

/// What TCP and Unix streams have in common: all but their addresses and options.
pub struct Stream {
    /// On a ring, what `AsyncRead` is made of, once it is used. Before the socket, so that it is dropped
    /// before: then the operations in it are given up when the socket is closed.
    reading: OnceCell<Box<RefCell<Reading>>>,
    /// The same for `AsyncWrite`. On its own, because a reader and a writer may be in the middle of
    /// something at the same time.
    writing: OnceCell<Box<RefCell<Writing>>>,
    pub(crate) socket: Owner,
}

impl Stream {
    pub(crate) fn new(socket: Owner) -> Stream {
        Stream { reading: OnceCell::new(), writing: OnceCell::new(), socket }
    }

    pub(crate) fn into_fd(self) -> io::Result<OwnedFd> {
        if self.has_more() {
            return Err(io::Error::other("bytes were read ahead, which would be lost"));
        }
        let Stream { reading, writing, socket } = self;
        drop((reading, writing));
        socket.into_fd()
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.has_more() {
            poll_fn(|cx| ready!(self.poll_reading(cx)).poll_received(cx)).await?;
            context::allowance().await;
            return Ok(());
        }
        self.socket.ready(Direction::Read).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.socket.ready(Direction::Write).await
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_more() {
            return self.try_polled(|it, cx| it.poll_read(&self.socket, cx, buffer));
        }
        self.try_recv(buffer, RecvFlags::empty())
    }

    pub(crate) fn try_peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_more() {
            return self.try_polled(|it, cx| it.poll_peek(cx, buffer));
        }
        self.try_recv(buffer, RecvFlags::PEEK)
    }

    /// What `poll_read` has asked for, if it is here.
    fn try_polled(
        &self,
        poll: impl FnOnce(&mut Reading, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> io::Result<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        // It is not polled while it is on its way: somebody may wait for it, whose waker would be lost.
        if let Poll::Ready(mut reading) = self.poll_reading(&cx)
            && !reading.is_waiting()
            && let Poll::Ready(result) = poll(&mut reading, &mut cx)
        {
            return result;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn try_recv(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
        self.socket.try_io(Direction::Read, || {
            let flags = flags | RecvFlags::DONTWAIT;
            rustix::net::recv(&self.socket, &mut *buffer, flags).map(|(_, length)| length)
        })
    }

    pub(crate) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        peek(|| self.try_peek(buffer), async || self.readable().await).await
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let send = || rustix::net::send(&self.socket, bytes, SEND);
        self.socket.try_io(Direction::Write, send)
    }

    /// Whether `poll_read` has asked for bytes that nobody has fetched.
    pub(crate) fn has_more(&self) -> bool {
        self.reading.get().is_some_and(|reading| {
            // In the middle of a poll, it is not known yet.
            reading.try_borrow().map_or(true, |reading| reading.has_more())
        })
    }

    fn poll_reading(&self, cx: &Context<'_>) -> Poll<RefMut<'_, Reading>> {
        poll_borrow(self.reading.get_or_init(Box::default), cx)
    }

    /// Reads what `poll_read` has asked for, and nobody has fetched.
    async fn read_polled<B: IoBufMut>(&self, mut buf: B) -> BufResult<usize, B> {
        let received = poll_fn(|cx| {
            let mut reading = ready!(self.poll_reading(cx));
            ready!(reading.poll_received(cx))?;
            ready!(context::poll_allowance(cx));
            Poll::Ready(Ok(reading.fetch(&mut buf)))
        });
        let result = received.await;
        (result, buf)
    }

    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            // There is nothing to wait for. The kernel would wait for a byte all the same.
            return Poll::Ready(Ok(0));
        }
        let Some(readiness) = self.socket.readiness() else {
            return ready!(self.poll_reading(cx)).poll_read(&self.socket, cx, buffer);
        };
        let received = ready!(readiness.poll_io(Direction::Read, cx, || {
            rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT)
                .map(|(_, length)| length)
        }))?;
        if received < buffer.len() {
            self.socket.drained(Direction::Read);
        }
        Poll::Ready(Ok(received))
    }

    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(readiness) = self.socket.readiness() else {
            let writing = self.writing.get_or_init(Box::default);
            return writing.borrow_mut().poll_write(&self.socket, cx, slices);
        };
        let slices = &slices[..slices.len().min(MAX_PIECES)];
        readiness.poll_io(Direction::Write, cx, || match slices {
            [bytes] => rustix::net::send(&self.socket, bytes, SEND),
            _ => {
                let mut control = SendAncillaryBuffer::default();
                rustix::net::sendmsg(&self.socket, slices, &mut control, SEND)
            }
        })
    }

    /// Waits for a write that was begun and given up.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.writing.get() {
            Some(writing) => writing.borrow_mut().poll_sent(cx).map_ok(drop),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes the writing side. A connection that is gone counts as closed.
    pub(crate) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        Poll::Ready(match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

impl AsyncReadOwned for Stream {
    fn read<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        if self.has_more() && buf.bytes_total() > 0 {
            return Read::Polled(Box::pin(async { Box::new(self.read_polled(buf).await) }));
        }
        Read::Owned(self.socket.recv(buf))
    }

    fn read_exact<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<(), B>> {
        if self.has_more() {
            return Read::Polled(Box::pin(async { Box::new(fill_by_reads(self, buf).await) }));
        }
        Read::Owned(self.socket.recv_exact(buf))
    }

    async fn read_vectored<B: IoBufMut>(&self, mut bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        if self.has_more()
            && let Some(first) = bufs.iter().position(|buf| buf.bytes_total() > 0)
        {
            let (result, buf) = self.read_polled(bufs.remove(first)).await;
            if result.is_ok() {
                // SAFETY: no byte is no claim.
                bufs[first..].iter_mut().for_each(|buf| unsafe { buf.set_init(0) });
            }
            bufs.insert(first, buf);
            return (result, bufs);
        }
        let (result, bufs) = self.socket.recv_msg(bufs).await;
        (result.map(|(length, _)| length), bufs)
    }
}

/// The future of a read. It can be moved: nothing in it is pinned in place.
enum Read<'a, O: Operation> {
    /// After `poll_read` has asked for more than was fetched. Rare, so two boxes do not matter.
    Polled(Pin<Box<dyn Future<Output = Box<O::Output>> + 'a>>),
    Owned(Op<O>),
}

impl<O: Operation> Future for Read<'_, O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O::Output> {
        match self.get_mut() {
            Read::Polled(polled) => polled.as_mut().poll(cx).map(|output| *output),
            Read::Owned(op) => Pin::new(op).poll(cx),
        }
    }
}
