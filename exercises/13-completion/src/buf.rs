use std::io;
use std::ops::{Deref, Range};

/// What came of an operation, and the buffer that it was given: the buffer comes back in any case.
pub type BufResult<T, B> = (io::Result<T>, B);

/// Bytes that can be lent to the kernel, to be read by it.
///
/// See the section "A buffer that stays where it is" of chapter 13.
///
/// # Safety
/// `as_ptr` points to `bytes_init` initialized bytes, and is never null. They stay there, unchanged,
/// until the value is dropped or somebody uses it, wherever the value itself is moved to. A value that
/// is forgotten is never dropped.
///
/// A `Box` cannot promise that: a pointer into a box must not be used any more once the box was moved.
pub unsafe trait IoBuf: Unpin + 'static {
    /// Where the bytes are.
    fn as_ptr(&self) -> *const u8;

    /// How many bytes there are.
    fn bytes_init(&self) -> usize;

    /// The part of the buffer that is in `range`, as far as the buffer goes.
    ///
    /// # Panics
    /// If the range ends before it begins, or begins behind the initialized bytes: what is written to
    /// it would leave a gap of bytes that nobody has written.
    fn slice(self, range: Range<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        assert!(range.start <= range.end, "the range {range:?} ends before it begins");
        assert!(range.start <= self.bytes_init(), "the range {range:?} would leave a gap");
        Slice { buf: self, range }
    }
}

/// Room for bytes that can be lent to the kernel, to be written to by it.
///
/// # Safety
/// `as_mut_ptr` points to room for `bytes_total` bytes, initialized or not, that nobody else uses. It
/// stays there until the value is dropped or somebody uses it, wherever the value is moved to. The first
/// `bytes_init` of them are those of [`IoBuf`].
pub unsafe trait IoBufMut: IoBuf {
    /// Where the room begins.
    fn as_mut_ptr(&mut self) -> *mut u8;

    /// How much room there is.
    fn bytes_total(&self) -> usize;

    /// Says that the first `length` bytes have been written.
    ///
    /// # Safety
    /// They have, and there is room for them.
    unsafe fn set_init(&mut self, length: usize);
}

// SAFETY: the bytes of a vector are on the heap, and moving the vector does not move them.
unsafe impl IoBuf for Vec<u8> {
    fn as_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above. The capacity is the vector's own, and the first `len` bytes of it are initialized.
unsafe impl IoBufMut for Vec<u8> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn bytes_total(&self) -> usize {
        self.capacity()
    }

    unsafe fn set_init(&mut self, length: usize) {
        // SAFETY: the caller has written that many bytes, within the capacity.
        unsafe { self.set_len(length) };
    }
}

// SAFETY: static bytes stay where they are.
unsafe impl IoBuf for &'static [u8] {
    fn as_ptr(&self) -> *const u8 {
        (**self).as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: static bytes stay where they are.
unsafe impl<const N: usize> IoBuf for &'static [u8; N] {
    fn as_ptr(&self) -> *const u8 {
        (**self).as_ptr()
    }

    fn bytes_init(&self) -> usize {
        N
    }
}

// SAFETY: the bytes of a string are on the heap, and moving the string does not move them.
unsafe impl IoBuf for String {
    fn as_ptr(&self) -> *const u8 {
        self.as_bytes().as_ptr()
    }

    fn bytes_init(&self) -> usize {
        self.len()
    }
}

/// A part of a buffer, which owns the whole: by [`IoBuf::slice`].
#[derive(Debug)]
pub struct Slice<B> {
    buf: B,
    range: Range<usize>,
}

impl<B> Slice<B> {
    /// The whole buffer.
    pub fn into_inner(self) -> B {
        self.buf
    }
}

// SAFETY: the bytes are some of those of the buffer inside, which keeps its promise. What the range
// has beyond the initialized ones is left out.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn as_ptr(&self) -> *const u8 {
        // SAFETY: the start is within the initialized bytes, or at their end: `slice` has made sure, and
        // `set_init` never sets fewer.
        unsafe { self.buf.as_ptr().add(self.range.start) }
    }

    fn bytes_init(&self) -> usize {
        self.range.end.min(self.buf.bytes_init()).saturating_sub(self.range.start)
    }
}

// SAFETY: the room is a part of that of the buffer inside, which keeps its promise.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn as_mut_ptr(&mut self) -> *mut u8 {
        // SAFETY: as above, and the initialized bytes are within the room.
        unsafe { self.buf.as_mut_ptr().add(self.range.start) }
    }

    fn bytes_total(&self) -> usize {
        self.range.end.min(self.buf.bytes_total()).saturating_sub(self.range.start)
    }

    unsafe fn set_init(&mut self, length: usize) {
        // SAFETY: the bytes before the range are initialized, and the caller has written those in it.
        unsafe { self.buf.set_init(self.range.start + length) };
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: that many bytes are initialized, and shared with nobody but `self`.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.bytes_init()) }
    }
}
