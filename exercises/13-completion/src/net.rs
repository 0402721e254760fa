use std::io;
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{FromRawFd, OwnedFd};
use std::rc::Rc;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use crate::ops::{Accept, Close, Connect, ReadVectored, Recv, Send, WriteVectored};
use crate::{AsyncReadOwned, AsyncWriteOwned, BufResult, Driver, IoBuf, IoBufMut, Op, current};

/// Accepts TCP connections.
///
/// See the section "Sockets" of chapter 13.
#[derive(Debug)]
pub struct TcpListener {
    socket: Rc<net::TcpListener>,
    driver: Rc<Driver>,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be had. Port 0 is a port that the kernel
    /// chooses: [`local_addr`](TcpListener::local_addr) tells which.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        // It stays a blocking socket. The kernel waits on our behalf, and not in our thread.
        Ok(TcpListener::from_std(net::TcpListener::bind(address)?))
    }

    /// Accepts from a socket that listens already. It should be a blocking one: for others, an older
    /// kernel does not wait, and says `WouldBlock`.
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    pub fn from_std(listener: net::TcpListener) -> TcpListener {
        TcpListener { socket: Rc::new(listener), driver: current() }
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// A connection that comes when the future is dropped is closed.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, peer) = self.start_accept().await?;
        // SAFETY: the kernel has just made this descriptor, and told nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok((TcpStream::from_fd(fd, &self.driver), peer))
    }

    /// The operation of [`accept`](TcpListener::accept).
    pub fn start_accept(&self) -> Op<Accept> {
        self.driver.submit(Accept::new(self.socket.clone()))
    }
}

/// A TCP connection.
///
/// The descriptor is closed when the stream is dropped, and no operation works on it any more.
///
/// See the section "Sockets" of chapter 13.
#[derive(Debug)]
pub struct TcpStream {
    socket: Rc<net::TcpStream>,
    driver: Rc<Driver>,
}

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// Looking up a host name blocks the thread; an IP address needs no look-up.
    ///
    /// # Errors
    /// The error of the last address that was tried, or that of the look-up.
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last_error =
            io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in to.to_socket_addrs()? {
            match TcpStream::connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        let stream = TcpStream::from_fd(socket, &current());
        stream.driver.submit(Connect::new(stream.socket.clone(), address)).await?;
        Ok(stream)
    }

    /// Makes a stream of a connection, given as [`start_accept`](TcpListener::start_accept) gives it.
    pub fn from_fd(fd: OwnedFd, driver: &Rc<Driver>) -> TcpStream {
        TcpStream { socket: Rc::new(fd.into()), driver: driver.clone() }
    }

    /// The operation of [`read`](AsyncReadOwned::read).
    pub fn start_recv<B: IoBufMut>(&self, buf: B) -> Op<Recv<B>> {
        self.driver.submit(Recv::new(self.socket.clone(), buf))
    }

    /// The operation of [`write`](AsyncWriteOwned::write).
    pub fn start_send<B: IoBuf>(&self, buf: B) -> Op<Send<B>> {
        self.driver.submit(Send::new(self.socket.clone(), buf))
    }

    /// Closes the reading side, the writing side, or both. Operations that wait for these are woken.
    ///
    /// # Errors
    /// If the connection is broken already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// Closes the connection, and says how that went.
    ///
    /// # Errors
    /// As the system call. The descriptor is closed nevertheless.
    ///
    /// # Cancel safety
    /// The connection is closed in any case.
    pub async fn close(self) -> io::Result<()> {
        match Rc::try_unwrap(self.socket) {
            Ok(socket) => self.driver.submit(Close::new(socket.into())).await,
            // An operation whose future was dropped still works on it, and closes it when it ends.
            Err(_shared) => Ok(()),
        }
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends small pieces at once, instead of waiting for more.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_nodelay(nodelay)
    }
}

impl AsyncReadOwned for TcpStream {
    async fn read<B: IoBufMut>(&self, buf: B) -> BufResult<usize, B> {
        self.start_recv(buf).await
    }

    async fn read_vectored<B: IoBufMut>(&self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        self.driver.submit(ReadVectored::new(self.socket.clone(), bufs)).await
    }
}

impl AsyncWriteOwned for TcpStream {
    async fn write<B: IoBuf>(&self, buf: B) -> BufResult<usize, B> {
        self.start_send(buf).await
    }

    async fn write_vectored<B: IoBuf>(&self, bufs: Vec<B>) -> BufResult<usize, Vec<B>> {
        self.driver.submit(WriteVectored::new(self.socket.clone(), bufs)).await
    }
}
