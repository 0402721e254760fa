use std::io::{self, IoSlice};
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};

use ch13_completion::try_current;
use futures::{AsyncRead, AsyncWrite, Stream, StreamExt};

use crate::{PollListener, PollStream};

/// A TCP connection of the runtime on this thread: on epoll, or on a ring.
///
/// # Cancel safety
/// That of [`ch07_tcp::TcpStream`], or of [`PollStream`].
#[derive(Debug)]
pub enum TcpStream {
    /// Waits with a reactor, as in chapter 7.
    Epoll(ch07_tcp::TcpStream),
    /// Waits with a ring.
    Ring(PollStream),
}

/// Accepts TCP connections, as an endless stream of them: on epoll, or on a ring.
#[derive(Debug)]
pub enum TcpListener {
    /// Waits with a reactor, as in chapter 7.
    Epoll(ch07_tcp::TcpListener),
    /// Waits with a ring.
    Ring(PollListener),
}

impl TcpListener {
    /// Listens on the first of the addresses that can be had, on what the runtime of this thread has.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        Ok(match try_current() {
            Some(_) => TcpListener::Ring(PollListener::bind(address)?),
            None => TcpListener::Epoll(ch07_tcp::TcpListener::bind(address)?),
        })
    }
}

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// # Errors
    /// The error of the last address that was tried, or that of the look-up.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        Ok(match try_current() {
            Some(_) => TcpStream::Ring(PollStream::connect(to).await?),
            None => TcpStream::Epoll(ch07_tcp::TcpStream::connect(to).await?),
        })
    }
}

impl TcpListener {
    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            TcpListener::Epoll(listener) => listener.local_addr(),
            TcpListener::Ring(listener) => listener.local_addr(),
        }
    }
}

impl Stream for TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut() {
            TcpListener::Epoll(listener) => {
                listener.poll_next_unpin(cx).map(|next| Some(next?.map(TcpStream::Epoll)))
            }
            TcpListener::Ring(listener) => {
                listener.poll_next_unpin(cx).map(|next| Some(next?.map(TcpStream::Ring)))
            }
        }
    }
}

impl TcpStream {
    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            TcpStream::Epoll(stream) => stream.peer_addr(),
            TcpStream::Ring(stream) => stream.get_ref().peer_addr(),
        }
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            TcpStream::Epoll(stream) => stream.local_addr(),
            TcpStream::Ring(stream) => stream.get_ref().local_addr(),
        }
    }

    /// Sends small writes at once (`true`), or lets the kernel collect them (`false`, the default).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        match self {
            TcpStream::Epoll(stream) => stream.set_nodelay(nodelay),
            TcpStream::Ring(stream) => stream.get_ref().set_nodelay(nodelay),
        }
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            TcpStream::Epoll(stream) => Pin::new(stream).poll_read(cx, buffer),
            TcpStream::Ring(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            TcpStream::Epoll(stream) => Pin::new(stream).poll_write(cx, bytes),
            TcpStream::Ring(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            TcpStream::Epoll(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            TcpStream::Ring(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            TcpStream::Epoll(stream) => Pin::new(stream).poll_flush(cx),
            TcpStream::Ring(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            TcpStream::Epoll(stream) => Pin::new(stream).poll_close(cx),
            TcpStream::Ring(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
