//! Unix sockets: what [`UnixStream::into_split`] makes, and the addresses.
//!
//! The names are those of the standard library and of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream as Incoming;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::address::{unix_from_kernel, unix_to_kernel};
use super::listener::{BACKLOG, Listener};
use super::macros::{options, reads, shows_descriptor, writes};
use super::socket::{Kind, Owner, PAUSE};
use super::split::sealed::Whole;
use super::split::{self, Split};
use super::stream::Stream;
use crate::context;
use crate::io::{AsyncReadOwned, AsyncWriteOwned, BufResult, IoBuf, IoBufMut};
use crate::time::nap;

pub use std::os::unix::net::SocketAddr;

/// The reading half of a [`UnixStream`]: by [`into_split`](UnixStream::into_split).
pub type OwnedReadHalf = split::OwnedReadHalf<UnixStream>;
/// The writing half of a [`UnixStream`]: by [`into_split`](UnixStream::into_split).
pub type OwnedWriteHalf = split::OwnedWriteHalf<UnixStream>;
/// Two halves that are not of one stream: by [`OwnedReadHalf::reunite`].
pub type ReuniteError = split::ReuniteError<UnixStream>;

/// Accepts connections of Unix sockets.
///
/// It behaves as a [`TcpListener`](super::TcpListener). The file of its path stays when it is dropped, as
/// with the standard library: whoever has made it removes it.
pub struct UnixListener {
    listener: Listener,
}

impl UnixListener {
    /// Makes a socket file at `path`, and listens there.
    ///
    /// # Errors
    /// If there is a file already (`AddrInUse`), or the directory does not allow one.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Listens there: also at an abstract address, which no file stands for.
    ///
    /// # Errors
    /// If the address is in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        let core = context::current();
        let fd = open(SocketType::STREAM)?;
        rustix::net::bind(&fd, &unix_to_kernel(address)?)?;
        rustix::net::listen(&fd, BACKLOG as i32)?;
        Ok(UnixListener { listener: Listener::new(core, fd, Kind::Other)? })
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
    pub fn from_std(listener: net::UnixListener) -> io::Result<UnixListener> {
        Ok(UnixListener {
            listener: Listener::new(context::current(), listener.into(), Kind::Other)?,
        })
    }

    /// Gives the socket to the standard library, in blocking mode. On a ring, connections that were
    /// accepted ahead are closed.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        Ok(self.listener.into_fd()?.into())
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    /// Waits for the next connection. The address of a client is unnamed, unless it was bound.
    ///
    /// # Errors
    /// An error concerns one connection; the next one may be fine.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection. On a ring, connections that were accepted ahead are closed
    /// with the listener.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](UnixListener::accept), for futures that are written by hand.
    ///
    /// # Errors
    /// As `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.listener.poll_accept(cx).map_ok(|(socket, peer)| {
            let peer = match peer {
                Some(peer) => unix_from_kernel(Some(peer)),
                // A client that has gone again has had an address, too, but nobody knows it.
                None => unix_from_kernel(rustix::net::getpeername(&socket).ok().flatten()),
            };
            (UnixStream::new(socket), peer)
        })
    }

    fn socket(&self) -> &Owner {
        &self.listener.socket
    }
}

impl Incoming for UnixListener {
    type Item = io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.listener.poll_accept(cx).map_ok(|(socket, _)| UnixStream::new(socket)).map(Some)
    }
}

options!(UnixListener {});

/// A connection of two Unix sockets.
///
/// It can be used in the same ways as a [`TcpStream`](super::TcpStream).
pub struct UnixStream {
    stream: Stream,
}

impl UnixStream {
    /// Connects to the socket file at `path`. If too many clients wait there already, this waits, too.
    ///
    /// # Errors
    /// If there is no such file, or nobody listens there.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?).await
    }

    /// Connects: also to an abstract address, which no file stands for.
    ///
    /// # Errors
    /// If nobody listens there.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect_addr(to: &SocketAddr) -> io::Result<UnixStream> {
        let socket = Owner::connecting(context::current(), open(SocketType::STREAM)?, Kind::Other)?;
        let to = unix_to_kernel(to)?;
        // Epoll tells nobody when a backlog that is full has room again.
        while socket.readiness().is_some() {
            context::allowance().await;
            match rustix::net::connect(&socket, &to) {
                Ok(()) => return Ok(UnixStream::new(socket)),
                Err(Errno::AGAIN | Errno::INTR) => nap(&socket.core, PAUSE).await?,
                Err(error) => return Err(error.into()),
            }
        }
        socket.connect(to).await?;
        Ok(UnixStream::new(socket))
    }

    /// Two ends of a connection.
    ///
    /// # Errors
    /// If no descriptors are left.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, two) = pair(SocketType::STREAM)?;
        Ok((UnixStream::new(one), UnixStream::new(two)))
    }

    /// Takes over a stream of the standard library, in whichever mode it is.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream::new(Owner::new(context::current(), stream.into(), Kind::Other)?))
    }

    fn new(socket: Owner) -> UnixStream {
        UnixStream { stream: Stream::new(socket) }
    }

    /// Gives the stream to the standard library: in blocking mode, or in the mode in which it came from
    /// there.
    ///
    /// # Errors
    /// If bytes were read ahead by [`AsyncRead`] that nobody has fetched, or may yet be: they would be lost.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
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

reads!([] UnixStream);
writes!([] UnixStream);
options!(UnixStream {});

impl Split for UnixStream {
    type Address = SocketAddr;

    fn local(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        peer_addr(self)
    }
}

impl Whole for UnixStream {
    fn stream(&self) -> &Stream {
        &self.stream
    }
}

pub(crate) fn open(kind: SocketType) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

#[track_caller]
pub(crate) fn pair(kind: SocketType) -> io::Result<(Owner, Owner)> {
    let core = context::current();
    let (one, two) =
        rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    Ok((Owner::new(core.clone(), one, Kind::Other)?, Owner::new(core, two, Kind::Other)?))
}

pub(crate) fn local_addr(socket: impl AsFd) -> io::Result<SocketAddr> {
    Ok(unix_from_kernel(Some(rustix::net::getsockname(socket)?)))
}

pub(crate) fn peer_addr(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = rustix::net::getpeername(socket)?.ok_or(Errno::NOTCONN)?;
    Ok(unix_from_kernel(Some(address)))
}

shows_descriptor!(UnixListener, UnixStream);
