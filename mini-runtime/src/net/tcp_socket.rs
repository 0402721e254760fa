use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::listener::Listener;
use super::macros::{options, shows_descriptor};
use super::socket::{Kind, Owner};
use super::tcp::{TcpListener, TcpStream, local_addr};
use crate::context;
use crate::runtime::Core;

/// A TCP socket that neither listens nor is connected: options can be set before it does.
///
/// ```
/// # use mini_runtime::Runtime;
/// # use mini_runtime::net::TcpSocket;
/// # fn main() -> std::io::Result<()> {
/// # Runtime::new()?.block_on(async {
/// // One listener for each thread, all of them on the same port: the kernel deals out the clients.
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseport(true)?;
/// socket.bind("127.0.0.1:0".parse().expect("it is an address"))?;
/// let listener = socket.listen(1024)?;
/// # drop(listener);
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpSocket {
    fd: OwnedFd,
}

impl TcpSocket {
    /// A socket for addresses of version 4.
    ///
    /// # Errors
    /// If no descriptors are left.
    pub fn new_v4() -> io::Result<TcpSocket> {
        TcpSocket::new(AddressFamily::INET)
    }

    /// A socket for addresses of version 6.
    ///
    /// # Errors
    /// If no descriptors are left, or this machine does not speak version 6.
    pub fn new_v6() -> io::Result<TcpSocket> {
        TcpSocket::new(AddressFamily::INET6)
    }

    pub(crate) fn new(family: AddressFamily) -> io::Result<TcpSocket> {
        let flags = SocketFlags::CLOEXEC;
        Ok(TcpSocket { fd: rustix::net::socket_with(family, SocketType::STREAM, flags, None)? })
    }

    /// How large the buffer is into which the kernel sends, in bytes. The kernel doubles what it is told.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        Ok(sockopt::set_socket_send_buffer_size(self, bytes as usize)?)
    }

    /// The size of the buffer into which the kernel sends, in bytes.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(sockopt::socket_send_buffer_size(self)? as u32)
    }

    /// How large the buffer is into which the kernel receives, in bytes. The kernel doubles what it is told.
    /// To be set before the socket listens or connects, because the connection's window comes from it.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        Ok(sockopt::set_socket_recv_buffer_size(self, bytes as usize)?)
    }

    /// The size of the buffer into which the kernel receives, in bytes.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(sockopt::socket_recv_buffer_size(self)? as u32)
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        local_addr(self)
    }

    /// Takes this address for its own.
    ///
    /// # Errors
    /// If it is not one of this machine's, in use, or not allowed.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        Ok(rustix::net::bind(self, &address)?)
    }

    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there, or nobody answers, or the address is of the other version.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = Owner::connecting(context::current(), self.fd, Kind::Tcp)?;
        socket.connect(to.into()).await?;
        Ok(TcpStream::new(socket))
    }

    /// Listens. At most `backlog` clients wait for `accept`, as far as the system allows.
    ///
    /// # Errors
    /// If the address is in use.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.listen_in(context::current(), backlog)
    }

    pub(crate) fn listen_in(self, core: Rc<Core>, backlog: u32) -> io::Result<TcpListener> {
        rustix::net::listen(&self, i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::new(Listener::new(core, self.fd, Kind::Tcp)?))
    }

    fn socket(&self) -> &OwnedFd {
        &self.fd
    }
}

options!(TcpSocket {
    /// Allows to bind to an address that connections are still closing on. Set by
    /// [`TcpListener::bind`], and not by default.
    set_reuseaddr, reuseaddr: bool => set_socket_reuseaddr, socket_reuseaddr;

    /// Allows several sockets on the same address, if all of them have set this before they were bound.
    /// The kernel deals out the clients among them. Built in chapter 12.
    set_reuseport, reuseport: bool => set_socket_reuseport, socket_reuseport;

    /// Asks a peer now and then whether it is still there, if nothing else is sent.
    set_keepalive, keepalive: bool => set_socket_keepalive, socket_keepalive;

    /// Sends small writes at once (`true`), or lets the kernel collect them (`false`, the default).
    set_nodelay, nodelay: bool => set_tcp_nodelay, tcp_nodelay;

    /// What closing does with bytes that were not sent yet: see
    /// [`TcpStream::set_linger`].
    set_linger, linger: Option<Duration> => set_socket_linger, socket_linger;
});

shows_descriptor!(TcpSocket);
