use std::io::{IoSlice, IoSliceMut};
use std::slice;

use super::{IoBuf, IoBufMut};

/// More pieces than this are refused by the kernel. The rest is left for the next time.
pub(crate) const MAX_PIECES: usize = 1024;

/// Where some bytes are, as the kernel wants to be told: its `struct iovec`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Piece {
    start: *mut u8,
    length: usize,
}

/// One buffer, or several that are used one behind the other.
pub(crate) trait Bufs: Unpin + 'static {
    type Buf: IoBuf;

    fn all(&mut self) -> &mut [Self::Buf];

    /// Writes down where the bytes are. Empty buffers are left out: they have none.
    fn bytes(&mut self, pieces: &mut Vec<Piece>) {
        let piece = |buf: &mut Self::Buf| Piece {
            start: buf.as_ptr().cast_mut(),
            length: buf.bytes_init(),
        };
        write_down(self.all().iter_mut().map(piece), pieces);
    }

    /// Writes down where the room is. Buffers without room are left out.
    fn rooms(&mut self, pieces: &mut Vec<Piece>)
    where
        Self::Buf: IoBufMut,
    {
        let piece =
            |buf: &mut Self::Buf| Piece { start: buf.as_mut_ptr(), length: buf.bytes_total() };
        write_down(self.all().iter_mut().map(piece), pieces);
    }

    /// Says that so many bytes were written to the rooms.
    ///
    /// # Safety
    /// They have been, in their order.
    unsafe fn filled(&mut self, bytes: usize)
    where
        Self::Buf: IoBufMut,
    {
        let mut left = bytes;
        for buf in self.all() {
            let length = left.min(buf.bytes_total());
            // SAFETY: `left` is what is left for this buffer of what was written.
            unsafe { buf.set_init(length) };
            left -= length;
        }
    }
}

fn write_down(all: impl Iterator<Item = Piece>, pieces: &mut Vec<Piece>) {
    pieces.clear();
    pieces.extend(all.filter(|piece| piece.length > 0).take(MAX_PIECES));
}

impl<B: IoBuf> Bufs for Vec<B> {
    type Buf = B;

    fn all(&mut self) -> &mut [B] {
        self
    }
}

impl<B: IoBuf> Bufs for [B; 1] {
    type Buf = B;

    fn all(&mut self) -> &mut [B] {
        self
    }
}

/// The buffer of what holds one.
pub(crate) fn only<B>(bufs: [B; 1]) -> B {
    let [buf] = bufs;
    buf
}

/// For system calls that read the pieces.
///
/// # Safety
/// The pieces are initialized, stay where they are, and are not written to, for the lifetime.
pub(crate) unsafe fn as_slices<'a>(pieces: &'a [Piece]) -> &'a [IoSlice<'a>] {
    // SAFETY: both types are laid out as the kernel's `struct iovec`: the standard library promises it for
    // its own. The rest is the caller's promise.
    unsafe { slice::from_raw_parts(pieces.as_ptr().cast(), pieces.len()) }
}

/// For system calls that write to the pieces.
///
/// # Safety
/// The pieces stay where they are, and nobody else uses them, for the lifetime. Whoever gets this does no
/// more than give it to the kernel: what is in the pieces may never have been written.
pub(crate) unsafe fn as_rooms<'a>(pieces: &'a mut [Piece]) -> &'a mut [IoSliceMut<'a>] {
    // SAFETY: as above.
    unsafe { slice::from_raw_parts_mut(pieces.as_mut_ptr().cast(), pieces.len()) }
}
