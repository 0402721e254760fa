use std::io::{IoSlice, IoSliceMut};
use std::slice;

use super::{IoBuf, IoBufMut};

/// More slices than this are refused by the kernel. The rest is left for the next time.
const MAX_SLICES: usize = 1024;

/// Several buffers, and where their bytes are, as the kernel wants to be told.
pub(crate) struct Vectored<B: 'static> {
    bufs: Vec<B>,
    /// On the heap, because a ring reads them when it gets to it. The bytes are those of `bufs`, which stay
    /// in their place, so "static" is as long as this lives.
    slices: Vec<IoSlice<'static>>,
    rooms: Vec<IoSliceMut<'static>>,
}

impl<B: 'static> Vectored<B> {
    pub(crate) fn new(bufs: Vec<B>) -> Vectored<B> {
        Vectored { bufs, slices: Vec::new(), rooms: Vec::new() }
    }

    pub(crate) fn into_inner(self) -> Vec<B> {
        self.bufs
    }
}

impl<B: IoBuf> Vectored<B> {
    /// The bytes of the buffers.
    pub(crate) fn slices(&mut self) -> &[IoSlice<'_>] {
        let slice = |buf: &B| {
            // SAFETY: these bytes are initialized, and stay where they are while the buffer is not used.
            // Nobody uses it before this is taken apart.
            IoSlice::new(unsafe { slice::from_raw_parts(buf.as_ptr(), buf.bytes_init()) })
        };
        self.slices = self.bufs.iter().take(MAX_SLICES).map(slice).collect();
        &self.slices
    }
}

impl<B: IoBufMut> Vectored<B> {
    /// The room of the buffers. Nobody but the kernel looks at what is in it.
    pub(crate) fn rooms(&mut self) -> &mut [IoSliceMut<'static>] {
        let room = |buf: &mut B| {
            let (start, length) = (buf.as_mut_ptr(), buf.bytes_total());
            // SAFETY: the buffer has this room, which stays where it is while the buffer is not used.
            // Nobody uses it before this is taken apart. What is in it may never have been written: so
            // it is cleared first.
            unsafe {
                start.write_bytes(0, length);
                IoSliceMut::new(slice::from_raw_parts_mut(start, length))
            }
        };
        self.rooms = self.bufs.iter_mut().take(MAX_SLICES).map(room).collect();
        &mut self.rooms
    }

    /// The buffers, after so many bytes were written to their rooms.
    ///
    /// # Safety
    /// They have been, in their order.
    pub(crate) unsafe fn filled(mut self, bytes: usize) -> Vec<B> {
        let mut left = bytes;
        for buf in &mut self.bufs {
            let length = left.min(buf.bytes_total());
            // SAFETY: `left` is what is left for this buffer of what was written.
            unsafe { buf.set_init(length) };
            left -= length;
        }
        self.bufs
    }
}
