use std::io;

use io_uring::{opcode, squeue};
use nix::libc::MSG_NOSIGNAL;
use trace::OpKind;

use super::{SharedFd, length, raw};
use crate::{BufResult, IoBuf, Operation};

/// Sends what there is room for in the socket, once there is some.
pub struct Send<B> {
    socket: SharedFd,
    buf: B,
    flags: i32,
}

impl<B> Send<B> {
    pub(crate) fn new(socket: SharedFd, buf: B) -> Send<B> {
        // A peer that has gone is an error, and no signal.
        Send { socket, buf, flags: MSG_NOSIGNAL }
    }
}

// SAFETY: the bytes are the buffer's, which belongs to the operation and keeps them in their place.
// The operation shares in the descriptor.
unsafe impl<B: IoBuf> Operation for Send<B> {
    const KIND: OpKind = OpKind::Send;
    const LENDS: bool = true;
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let bytes = length(self.buf.bytes_init());
        opcode::Send::new(raw(&self.socket), self.buf.as_ptr(), bytes).flags(self.flags).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        (result.map(|length| length as usize), self.buf)
    }
}

/// Writes to a file, beginning at an offset.
pub struct WriteAt<B> {
    file: SharedFd,
    buf: B,
    offset: u64,
}

impl<B> WriteAt<B> {
    pub(crate) fn new(file: SharedFd, buf: B, offset: u64) -> WriteAt<B> {
        WriteAt { file, buf, offset }
    }
}

// SAFETY: as for `Send`.
unsafe impl<B: IoBuf> Operation for WriteAt<B> {
    const KIND: OpKind = OpKind::Write;
    const LENDS: bool = true;
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let bytes = length(self.buf.bytes_init());
        opcode::Write::new(raw(&self.file), self.buf.as_ptr(), bytes).offset(self.offset).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        (result.map(|length| length as usize), self.buf)
    }
}
