use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::net::{RecvFlags, SocketAddrAny, SocketType, sockopt};

use super::address::{unix_from_kernel, unix_to_kernel};
use super::macros::{datagrams, options, shows_descriptor};
use super::socket::{Kind, Owner};
use super::unix::{local_addr, open, pair, peer_addr};
use crate::context;
use crate::driver::epoll::Direction;
use crate::driver::ops::SEND;
use crate::io::{BufResult, IoBuf, IoBufMut, only};

/// Sends and receives datagrams on this machine. Unlike those of UDP, they arrive, and in order. A sender
/// waits while the queue of the receiver is full.
///
/// One task at a time may wait to receive, and one to send: a later one takes the place of the earlier.
pub struct UnixDatagram {
    socket: Owner,
}

impl UnixDatagram {
    /// Makes a socket file at `path`, to be sent to. It stays when this is dropped.
    ///
    /// # Errors
    /// If there is a file already (`AddrInUse`), or the directory does not allow one.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Takes an address: also an abstract one, which no file stands for.
    ///
    /// # Errors
    /// If the address is in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        rustix::net::bind(&socket, &unix_to_kernel(address)?)?;
        Ok(socket)
    }

    /// A socket without an address: nobody can send to it, unless it is connected and the other is, too.
    ///
    /// # Errors
    /// If no descriptors are left.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        let core = context::current();
        let socket = Owner::new(core, open(SocketType::DGRAM)?, Kind::Other)?;
        Ok(UnixDatagram { socket })
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// If no descriptors are left.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, two) = pair(SocketType::DGRAM)?;
        Ok((UnixDatagram { socket: one }, UnixDatagram { socket: two }))
    }

    /// Takes over a socket of the standard library, in whichever mode it is.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(socket: net::UnixDatagram) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram { socket: Owner::new(context::current(), socket.into(), Kind::Other)? })
    }

    /// Gives the socket to the standard library: in blocking mode, or in the mode in which it came from
    /// there.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        Ok(self.socket.into_fd()?.into())
    }

    /// The address that the socket is bound to, or an unnamed one.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    /// If it is not connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        peer_addr(self)
    }

    /// Chooses the socket at `path` as the one to which [`send`](UnixDatagram::send) sends. From then on,
    /// only what comes from there is received.
    ///
    /// # Errors
    /// If nobody is there.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// The same for any address, also for an abstract one.
    ///
    /// # Errors
    /// If nobody is there.
    pub fn connect_addr(&self, to: &SocketAddr) -> io::Result<()> {
        Ok(rustix::net::connect(self, &unix_to_kernel(to)?)?)
    }

    /// Sends a datagram to the socket at `path`. Waits while the queue there is full.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// None: it is not known whether the datagram was sent when the future is dropped.
    pub async fn send_to<B: IoBuf>(&self, buf: B, path: impl AsRef<Path>) -> BufResult<usize, B> {
        match SocketAddr::from_pathname(path) {
            Ok(to) => self.send_to_addr(buf, &to).await,
            Err(error) => (Err(error), buf),
        }
    }

    /// The same for any address, also for an abstract one.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// As [`send_to`](UnixDatagram::send_to).
    pub async fn send_to_addr<B: IoBuf>(&self, buf: B, to: &SocketAddr) -> BufResult<usize, B> {
        match unix_to_kernel(to) {
            Ok(to) => self.socket.send_datagram(buf, Some(to)).await,
            Err(error) => (Err(error), buf),
        }
    }

    /// Sends a datagram to the socket at `path`, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, and those of the system call.
    pub fn try_send_to(&self, bytes: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let to = unix_to_kernel(&SocketAddr::from_pathname(path)?)?;
        // Not noted if there is no room: that says nothing of this socket.
        Ok(rustix::net::sendto(self, bytes, SEND, &to)?)
    }

    /// Closes the reading side, the writing side, or both.
    ///
    /// # Errors
    /// If the socket is not connected.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    fn socket(&self) -> &Owner {
        &self.socket
    }
}

fn sender(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    Ok(unix_from_kernel(address))
}

datagrams!(UnixDatagram, SocketAddr, sender);
options!(UnixDatagram {});
shows_descriptor!(UnixDatagram);
