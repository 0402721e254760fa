use std::io;

use io_uring::{opcode, squeue};
use nix::libc::iovec;
use trace::OpKind;

use super::{SharedFd, raw};
use crate::{BufResult, IoBuf, IoBufMut, Operation};

/// More slices than this are refused by the kernel. The rest is left for the next time.
const MAX_SLICES: usize = 1024;

/// Writes several buffers, one behind the other, in one go.
pub struct WriteVectored<B> {
    fd: SharedFd,
    bufs: Vec<B>,
    /// Where the buffers are. On the heap, because the kernel reads it when it gets to it.
    slices: Vec<iovec>,
}

impl<B: IoBuf> WriteVectored<B> {
    pub(crate) fn new(fd: SharedFd, bufs: Vec<B>) -> WriteVectored<B> {
        let slice =
            |buf: &B| iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len: buf.bytes_init() };
        let slices = bufs.iter().take(MAX_SLICES).map(slice).collect();
        WriteVectored { fd, bufs, slices }
    }
}

// SAFETY: the slices are on the heap. They point to the bytes of the buffers, which stay in their
// places. All belongs to the operation, which shares in the descriptor.
unsafe impl<B: IoBuf> Operation for WriteVectored<B> {
    const KIND: OpKind = OpKind::Write;
    const LENDS: bool = true;
    type Output = BufResult<usize, Vec<B>>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Writev::new(raw(&self.fd), self.slices.as_ptr(), self.slices.len() as u32).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, Vec<B>> {
        (result.map(|length| length as usize), self.bufs)
    }
}

/// Reads into several buffers, one behind the other, in one go.
pub struct ReadVectored<B> {
    fd: SharedFd,
    bufs: Vec<B>,
    slices: Vec<iovec>,
}

impl<B: IoBufMut> ReadVectored<B> {
    pub(crate) fn new(fd: SharedFd, mut bufs: Vec<B>) -> ReadVectored<B> {
        let slice =
            |buf: &mut B| iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.bytes_total() };
        let slices = bufs.iter_mut().take(MAX_SLICES).map(slice).collect();
        ReadVectored { fd, bufs, slices }
    }
}

// SAFETY: as for `WriteVectored`.
unsafe impl<B: IoBufMut> Operation for ReadVectored<B> {
    const KIND: OpKind = OpKind::Read;
    const LENDS: bool = true;
    type Output = BufResult<usize, Vec<B>>;

    fn entry(&mut self) -> squeue::Entry {
        opcode::Readv::new(raw(&self.fd), self.slices.as_ptr(), self.slices.len() as u32).build()
    }

    fn complete(mut self, result: io::Result<u32>) -> BufResult<usize, Vec<B>> {
        let result = result.map(|length| length as usize);
        let mut left = *result.as_ref().unwrap_or(&0);
        if result.is_ok() {
            for buf in &mut self.bufs {
                let length = left.min(buf.bytes_total());
                // SAFETY: the kernel has filled the buffers in their order, and `left` is what is left
                // of that for this one.
                unsafe { buf.set_init(length) };
                left -= length;
            }
        }
        (result, self.bufs)
    }
}
