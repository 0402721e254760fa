use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;

use ch06_reactor::Direction;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect as start_connect, socket,
};

use crate::TcpStream;

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// Looking up a host name blocks the thread; an IP address needs no look-up.
    ///
    /// # Errors
    /// The error of the last address that was tried, or that of the look-up.
    ///
    /// # Panics
    /// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(to: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last_error =
            io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to");
        for address in to.to_socket_addrs()? {
            match connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;

    match start_connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        // Interrupted by a signal, the kernel goes on connecting all the same.
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }

    let stream = TcpStream::from_std(socket.into())?;
    poll_fn(|cx| stream.source.poll_io(Direction::Write, cx, is_connected)).await?;
    Ok(stream)
}

/// A socket that is done connecting becomes writable, whether it succeeded or not. `SO_ERROR` tells.
fn is_connected(stream: &net::TcpStream) -> io::Result<()> {
    // EXERCISE 07.2: Are we there yet?
    todo!("07.2: say whether the connection stands, has failed, or is still in the making");
    // END 07.2
}
