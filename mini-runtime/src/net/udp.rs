use std::fmt;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketAddrAny, SocketFlags, SocketType, sockopt};

use super::address::{ToSocketAddrs, addresses, addresses_blocking, family, first};
use super::macros::{datagrams, options, shows_descriptor};
use super::socket::{Kind, Owner};
use super::tcp::{local_addr, peer_addr};
use crate::context;
use crate::driver::epoll::Direction;
use crate::driver::ops::SEND;
use crate::io::{BufResult, IoBuf, IoBufMut, only};

/// Sends and receives UDP datagrams.
///
/// Each call sends or receives one. What does not fit into the buffer of the receiver is lost.
///
/// One task at a time may wait to receive, and one to send: a later one takes the place of the earlier.
///
/// ```
/// # use mini_runtime::Runtime;
/// # use mini_runtime::net::UdpSocket;
/// # fn main() -> std::io::Result<()> {
/// # Runtime::new()?.block_on(async {
/// let one = UdpSocket::bind("127.0.0.1:0")?;
/// let two = UdpSocket::bind("127.0.0.1:0")?;
/// one.send_to(b"hello", two.local_addr()?).await.0?;
/// let (received, buffer) = two.recv_from(Vec::with_capacity(1500)).await;
/// let (length, sender) = received?;
/// assert_eq!((&buffer[..length], sender), (&b"hello"[..], one.local_addr()?));
/// # Ok(())
/// # })
/// # }
/// ```
pub struct UdpSocket {
    socket: Owner,
}

impl UdpSocket {
    /// Takes the first of the addresses that can be had. Port 0 is a port that the kernel chooses:
    /// [`local_addr`](UdpSocket::local_addr) tells which.
    ///
    /// Looking up a host name blocks the thread.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        let core = context::current();
        first(addresses_blocking(address)?, |address| {
            let (kind, flags) = (SocketType::DGRAM, SocketFlags::CLOEXEC);
            let fd = rustix::net::socket_with(family(&address), kind, flags, None)?;
            rustix::net::bind(&fd, &address)?;
            Ok(UdpSocket { socket: Owner::new(core.clone(), fd, Kind::Other)? })
        })
    }

    /// Takes over a socket of the standard library, in whichever mode it is.
    ///
    /// # Errors
    /// If the kernel does not register it.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    #[track_caller]
    pub fn from_std(socket: net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket { socket: Owner::new(context::current(), socket.into(), Kind::Other)? })
    }

    /// Gives the socket to the standard library: in blocking mode, or in the mode in which it came from
    /// there.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn into_std(self) -> io::Result<net::UdpSocket> {
        Ok(self.socket.into_fd()?.into())
    }

    /// The address that the socket is bound to.
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

    /// Chooses the first of the addresses that can be had as the one to which [`send`](UdpSocket::send)
    /// sends. From then on, only what comes from there is received.
    ///
    /// # Errors
    /// If none can be had, or that of the look-up.
    ///
    /// # Panics
    /// If no runtime runs on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the socket as it was.
    pub async fn connect(&self, to: impl ToSocketAddrs) -> io::Result<()> {
        first(addresses(to).await?, |address| Ok(rustix::net::connect(self, &address)?))
    }

    /// Sends a datagram there.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// None: it is not known whether the datagram was sent when the future is dropped.
    pub async fn send_to<B: IoBuf>(&self, buf: B, to: SocketAddr) -> BufResult<usize, B> {
        self.socket.send_datagram(buf, Some(to.into())).await
    }

    /// Sends a datagram there, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if there is no room, and those of the system call.
    pub fn try_send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.try_io(Direction::Write, || rustix::net::sendto(self, bytes, SEND, &to))
    }

    /// Receives what is sent to the group, on the interface with this address. Without an address
    /// (`0.0.0.0`), the kernel chooses the interface.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        Ok(sockopt::set_ip_add_membership(self, &group, &interface)?)
    }

    /// Receives what is sent to the group, on the interface with this number. With 0, the kernel chooses
    /// the interface.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        Ok(sockopt::set_ipv6_add_membership(self, group, interface)?)
    }

    /// Takes back [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        Ok(sockopt::set_ip_drop_membership(self, &group, &interface)?)
    }

    /// Takes back [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        Ok(sockopt::set_ipv6_drop_membership(self, group, interface)?)
    }

    fn socket(&self) -> &Owner {
        &self.socket
    }
}

fn sender(address: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    // An IP datagram comes from somewhere.
    Ok(SocketAddr::try_from(address.ok_or(Errno::NOTCONN)?)?)
}

datagrams!(UdpSocket, SocketAddr, sender);

options!(UdpSocket {
    /// Allows to send to a broadcast address.
    set_broadcast, broadcast: bool => set_socket_broadcast, socket_broadcast;

    /// How many routers a packet may pass.
    set_ttl, ttl: u32 => set_ip_ttl, ip_ttl;

    /// Whether what is sent to a group of version 4 comes back to this machine.
    set_multicast_loop_v4, multicast_loop_v4: bool => set_ip_multicast_loop, ip_multicast_loop;

    /// How many routers a packet to a group of version 4 may pass. One, if nothing is said.
    set_multicast_ttl_v4, multicast_ttl_v4: u32 => set_ip_multicast_ttl, ip_multicast_ttl;

    /// Whether what is sent to a group of version 6 comes back to this machine.
    set_multicast_loop_v6, multicast_loop_v6: bool => set_ipv6_multicast_loop, ipv6_multicast_loop;
});

shows_descriptor!(UdpSocket);
