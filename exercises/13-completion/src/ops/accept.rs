use std::cell::UnsafeCell;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::RawFd;
use std::rc::Rc;

use io_uring::{opcode, squeue};
use nix::libc::{SOCK_CLOEXEC, sockaddr_storage, socklen_t};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};
use trace::OpKind;

use super::{SharedFd, raw};
use crate::Operation;

/// Waits for a connection.
pub struct Accept {
    listener: SharedFd,
    /// On the heap, because the kernel writes to it when a connection comes, and until then this may
    /// move. Not in a box: a pointer into a box is void as soon as the box is moved.
    peer: Rc<UnsafeCell<Peer>>,
}

struct Peer {
    address: MaybeUninit<sockaddr_storage>,
    length: socklen_t,
}

impl Accept {
    pub(crate) fn new(listener: SharedFd) -> Accept {
        let length = size_of::<sockaddr_storage>() as socklen_t;
        let peer = Peer { address: MaybeUninit::zeroed(), length };
        Accept { listener, peer: Rc::new(UnsafeCell::new(peer)) }
    }
}

// SAFETY: the address and its length are on the heap, and belong to the operation, which shares in the
// descriptor.
unsafe impl Operation for Accept {
    const KIND: OpKind = OpKind::Accept;
    type Output = io::Result<(RawFd, SocketAddr)>;

    fn entry(&mut self) -> squeue::Entry {
        let peer = self.peer.get();
        // SAFETY: the peer is there. It is only asked where its parts are.
        let (address, length) = unsafe { (&raw mut (*peer).address, &raw mut (*peer).length) };
        opcode::Accept::new(raw(&self.listener), address.cast(), length).flags(SOCK_CLOEXEC).build()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        let fd = result? as RawFd;
        // SAFETY: the kernel has let go of it, and the `Rc` has no clone.
        let peer = unsafe { &*self.peer.get() };
        Ok((fd, peer.address()?))
    }
}

impl Peer {
    fn address(&self) -> io::Result<SocketAddr> {
        // SAFETY: the kernel has written an address of this length, and all before was zeroed.
        let address =
            unsafe { SockaddrStorage::from_raw(self.address.as_ptr().cast(), Some(self.length)) };
        let address = address.as_ref();
        let v4 = || Some(SocketAddrV4::from(*address?.as_sockaddr_in()?).into());
        let v6 = || Some(SocketAddrV6::from(*address?.as_sockaddr_in6()?).into());
        v4().or_else(v6).ok_or_else(|| io::Error::other("a connection that has no IP address"))
    }
}
