use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use ch06_reactor::Direction;
use futures::{AsyncRead, AsyncWrite};

use crate::source::Source;

/// A TCP connection.
///
/// Reads and writes go through `futures::io`'s [`AsyncRead`] and [`AsyncWrite`], which `&TcpStream`
/// implements too: one task may read while another writes. Two tasks that read, or two that write, must
/// not wait at the same time: the later one takes the place of the earlier, which is not woken then.
///
/// [`poll_close`](AsyncWrite::poll_close) closes the write side alone. The peer reads to its end,
/// and may still send. Dropping the stream closes both.
///
/// # Cancel safety
/// A dropped `read` or `write` future has lost no bytes: what it had read, it had returned.
/// (`read_exact` and `write_all` may have done a part of their work.)
///
/// A stream waits with the runtime in which it was made: another one's tasks that read it are not woken.
/// It can be dropped anywhere on its thread.
#[derive(Debug)]
pub struct TcpStream {
    pub(crate) source: Source<net::TcpStream>,
}

impl TcpStream {
    /// Takes over a stream of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { source: Source::new(stream)? })
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.io().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.io().local_addr()
    }

    /// Sends small writes at once (`true`), or lets the kernel collect them (`false`, the default).
    /// This is `TCP_NODELAY`.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.source.io().set_nodelay(nodelay)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.source.io().nodelay()
    }

    /// Closes the read side, the write side, or both, for every holder of this stream.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.source.io().shutdown(how)
    }

    /// Splits the stream into a half for reading and one for writing, for two tasks.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        let stream = Rc::new(self);
        (ReadHalf { stream: stream.clone() }, WriteHalf { stream })
    }
}

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.io().as_fd()
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_io(Direction::Read, cx, |mut stream| stream.read(buffer))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_io(Direction::Read, cx, |mut stream| stream.read_vectored(buffers))
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_io(Direction::Write, cx, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_io(Direction::Read, cx, |mut stream| stream.write_vectored(slices))
    }

    /// Does nothing: bytes that were written are the kernel's already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the write side. A connection that is gone counts as closed.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // EXERCISE 07.3: Echo, for the fifth time
        todo!("07.3: close the write side; a connection that is gone counts as closed");
        // END 07.3
    }
}

/// The half of a [`TcpStream`] that reads.
#[derive(Debug)]
pub struct ReadHalf {
    stream: Rc<TcpStream>,
}

/// The half of a [`TcpStream`] that writes. Dropping it closes the write side.
#[derive(Debug)]
pub struct WriteHalf {
    stream: Rc<TcpStream>,
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // An error means that the connection is gone, and closed thereby.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

impl TcpStream {
    fn stream(&self) -> &TcpStream {
        self
    }
}

impl ReadHalf {
    fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl WriteHalf {
    fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// A type that holds a `TcpStream` reads as the reference to it does.
macro_rules! reads_as_its_stream {
    ($type:ty) => {
        impl AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream()).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream()).poll_read_vectored(cx, buffers)
            }
        }
    };
}

/// A type that holds a `TcpStream` writes as the reference to it does.
macro_rules! writes_as_its_stream {
    ($type:ty) => {
        impl AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream()).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.stream()).poll_write_vectored(cx, slices)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream()).poll_flush(cx)
            }

            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream()).poll_close(cx)
            }
        }
    };
}

reads_as_its_stream!(TcpStream);
reads_as_its_stream!(ReadHalf);
writes_as_its_stream!(TcpStream);
writes_as_its_stream!(WriteHalf);
