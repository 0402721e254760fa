//! TCP: what [`TcpStream::into_split`] makes.
//!
//! The names are those of the standard library and of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream as Incoming;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::sockopt;

use super::address::{ToSocketAddrs, addresses, addresses_blocking, family, first, no_address};
use super::listener::{BACKLOG, Listener};
use super::macros::{options, reads, shows_descriptor, writes};
use super::socket::{Kind, Owner};
use super::split::sealed::Whole;
use super::split::{self, Split};
use super::stream::Stream;
use super::tcp_socket::TcpSocket;
use crate::context;
use crate::io::{AsyncReadOwned, AsyncWriteOwned, BufResult, IoBuf, IoBufMut};

/// The reading half of a [`TcpStream`]: by [`into_split`](TcpStream::into_split).
pub type OwnedReadHalf = split::OwnedReadHalf<TcpStream>;
/// The writing half of a [`TcpStream`]: by [`into_split`](TcpStream::into_split).
pub type OwnedWriteHalf = split::OwnedWriteHalf<TcpStream>;
/// Two halves that are not of one stream: by [`OwnedReadHalf::reunite`].
pub type ReuniteError = split::ReuniteError<TcpStream>;

/// Accepts TCP connections.
///
/// When the process runs out of file descriptors, it says so once, and then looks every 20 ms whether
/// there is one again. The clients wait in the kernel's backlog meanwhile.
///
/// On a ring, connections are accepted ahead. When more than a hundred of them wait for
/// [`accept`](TcpListener::accept), the next ones wait in the kernel's backlog, too.
///
/// One task at a time may wait for connections: the later one takes the place of the earlier, which is
/// not woken then.
///
/// Built in chapter 7. What changed: on a ring, one submission accepts all connections.
pub struct TcpListener {
    listener: Listener,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be had. Port 0 is a port that the kernel chooses:
    /// [`local_addr`](TcpListener::local_addr) tells which. A port can be used again at once after a
    /// listener has gone (`SO_REUSEADDR`).
    ///
    /// Looking up a host name blocks the thread. [`TcpSocket`] has more to choose.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let core = context::current();
        first(addresses_blocking(address)?, |address| {
            let socket = TcpSocket::new(family(&address))?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen_in(core.clone(), BACKLOG)
        })
    }

    /// Accepts from a socket that listens already. It is put into non-blocking mode on epoll, and into
    /// blocking mode on a ring, which whoever shares in it will see.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener { listener: Listener::new(context::current(), listener.into(), Kind::Tcp)? })
    }

    /// Gives the socket to the standard library, in blocking mode. On a ring, connections that were
    /// accepted ahead are closed.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn into_std(self) -> io::Result<net::TcpListener> {
        Ok(self.listener.into_fd()?.into())
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// An error concerns one connection; the next one may be fine.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection. On a ring, connections that were accepted ahead are closed
    /// with the listener.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](TcpListener::accept), for futures that are written by hand.
    ///
    /// # Errors
    /// As `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            let (socket, peer) = ready!(self.listener.poll_accept(cx))?;
            let stream = TcpStream::new(socket);
            let peer = match peer {
                Some(peer) => SocketAddr::try_from(peer).map_err(Into::into),
                None => stream.peer_addr(),
            };
            match peer {
                // This client has gone again. Others may be waiting behind it.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                peer => return Poll::Ready(peer.map(|peer| (stream, peer))),
            }
        }
    }

    pub(crate) fn new(listener: Listener) -> TcpListener {
        TcpListener { listener }
    }

    fn socket(&self) -> &Owner {
        &self.listener.socket
    }
}

impl Incoming for TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.listener.poll_accept(cx).map_ok(|(socket, _)| TcpStream::new(socket)).map(Some)
    }
}

options!(TcpListener {
    /// How many routers a packet may pass.
    set_ttl, ttl: u32 => set_ip_ttl, ip_ttl;
});

/// A TCP connection.
///
/// It can be used in two ways: with owned buffers ([`AsyncReadOwned`], [`AsyncWriteOwned`]), which is what
/// a ring does best, or by `futures_io`'s [`AsyncRead`] and [`AsyncWrite`], which copy on a ring. In one
/// direction, use one of the two at a time.
///
/// One task at a time may wait to read, and one to write: a later one takes the place of the earlier.
///
/// Dropping it closes the connection at once, also in the middle of a read that was given up.
///
/// Built in chapters 7 and 13.
pub struct TcpStream {
    stream: Stream,
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
        let mut last_error = no_address();
        for address in addresses(to).await? {
            let socket = TcpSocket::new(family(&address))?;
            match socket.connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    /// Takes over a stream of the standard library, in whichever mode it is.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream::new(Owner::new(context::current(), stream.into(), Kind::Tcp)?))
    }

    pub(crate) fn new(socket: Owner) -> TcpStream {
        TcpStream { stream: Stream::new(socket) }
    }

    /// Gives the stream to the standard library: in blocking mode, or in the mode in which it came from
    /// there.
    ///
    /// # Errors
    /// If bytes were read ahead by [`AsyncRead`] that nobody has fetched, or may yet be: they would be lost.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        Ok(self.stream.into_fd()?.into())
    }

    /// Makes two halves, which can be used by two tasks, and dropped one after the other. Dropping the
    /// writing half closes the writing side.
    ///
    /// Built in chapter 7, section "Two halves in two tasks".
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::split(self)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        peer_addr(self)
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    /// Closes the reading side, the writing side, or both.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.stream.shutdown(how)
    }

    fn socket(&self) -> &Owner {
        &self.stream.socket
    }
}

reads!([] TcpStream);
writes!([] TcpStream);

options!(TcpStream {
    /// Sends small writes at once (`true`), or lets the kernel collect them (`false`, the default).
    set_nodelay, nodelay: bool => set_tcp_nodelay, tcp_nodelay;

    /// How many routers a packet may pass.
    set_ttl, ttl: u32 => set_ip_ttl, ip_ttl;

    /// What closing does with bytes that were not sent yet. `None`, the default, sends them later. After a
    /// duration of zero the connection is reset, and they are lost. With a longer one, closing waits for
    /// them, and blocks the thread meanwhile.
    set_linger, linger: Option<Duration> => set_socket_linger, socket_linger;
});

impl Split for TcpStream {
    type Address = SocketAddr;

    fn local(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        peer_addr(self)
    }
}

impl Whole for TcpStream {
    fn stream(&self) -> &Stream {
        &self.stream
    }
}

pub(crate) fn local_addr(socket: impl AsFd) -> io::Result<SocketAddr> {
    Ok(SocketAddr::try_from(rustix::net::getsockname(socket)?)?)
}

pub(crate) fn peer_addr(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = rustix::net::getpeername(socket)?.ok_or(Errno::NOTCONN)?;
    Ok(SocketAddr::try_from(address)?)
}

shows_descriptor!(TcpListener, TcpStream);
