use std::cell::UnsafeCell;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::rc::Rc;

use rustix::net::SocketAddrAny;
use rustix::net::addr::SocketAddrStorage;

use crate::io::Piece;

/// What a system call is told of a message: where its bytes are, and where it comes from or goes to. A
/// socket keeps it from one message to the next, so that it is allocated once.
///
/// A ring reads it when it gets to it, and writes to it. So it is on the heap, and in a cell. It is not in
/// a box: a pointer into a box is void as soon as the box is moved.
pub(crate) struct Message(Rc<UnsafeCell<Parts>>);

struct Parts {
    header: Header,
    address: SocketAddrStorage,
    pieces: Vec<Piece>,
}

/// The kernel's `struct user_msghdr`.
#[repr(C)]
pub(crate) struct Header {
    address: *mut SocketAddrStorage,
    address_length: u32,
    pieces: *mut Piece,
    piece_count: usize,
    control: *mut u8,
    control_length: usize,
    flags: u32,
}

impl Message {
    pub(crate) fn new() -> Message {
        let header = Header {
            address: ptr::null_mut(),
            address_length: 0,
            pieces: ptr::null_mut(),
            piece_count: 0,
            control: ptr::null_mut(),
            control_length: 0,
            flags: 0,
        };
        let address = SocketAddrStorage::zeroed();
        Message(Rc::new(UnsafeCell::new(Parts { header, address, pieces: Vec::new() })))
    }

    fn parts(&mut self) -> &mut Parts {
        // SAFETY: this is the only share, and it is borrowed. The kernel has a pointer to the parts from
        // the submission of an operation to its completion. The operation owns this, and leaves it alone
        // meanwhile.
        unsafe { &mut *self.0.get() }
    }

    /// Where its bytes are.
    pub(crate) fn pieces(&mut self) -> &mut Vec<Piece> {
        &mut self.parts().pieces
    }

    /// Says where it goes to, or where it came from.
    pub(crate) fn set_address(&mut self, address: Option<&SocketAddrAny>) {
        let parts = self.parts();
        parts.header.address_length = address.map_or(0, SocketAddrAny::addr_len);
        if let Some(address) = address {
            let from = address.as_ptr().cast::<u8>();
            let to = (&raw mut parts.address).cast::<u8>();
            // SAFETY: an address has that many initialized bytes, and there is room for any.
            unsafe { ptr::copy_nonoverlapping(from, to, address.addr_len() as usize) };
        }
    }

    /// Makes room for any address.
    pub(crate) fn expect_address(&mut self) {
        self.parts().header.address_length = mem::size_of::<SocketAddrStorage>() as u32;
    }

    /// Where it goes to, or where it came from. `None` if nobody has said.
    pub(crate) fn address(&mut self) -> Option<SocketAddrAny> {
        let Parts { header, address, .. } = self.parts();
        let length = header.address_length;
        // SAFETY: the kernel has written an address of that length, or we have. All of the room is
        // initialized from the beginning.
        (length > 0).then(|| unsafe { SocketAddrAny::new(MaybeUninit::new(*address), length) })
    }

    /// What the kernel wants to be told.
    pub(crate) fn header(&mut self) -> *mut Header {
        let Parts { header, address, pieces } = self.parts();
        let has_address = header.address_length > 0;
        header.address = if has_address { address } else { ptr::null_mut() };
        header.pieces = pieces.as_mut_ptr();
        header.piece_count = pieces.len();
        header
    }
}
