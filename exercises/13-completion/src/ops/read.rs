use std::io;

use io_uring::{opcode, squeue};
use trace::OpKind;

use super::{SharedFd, length, raw};
use crate::{BufResult, IoBufMut, Operation};

/// Receives what a socket has, once it has something. No bytes are its end.
pub struct Recv<B> {
    socket: SharedFd,
    buf: B,
}

impl<B> Recv<B> {
    pub(crate) fn new(socket: SharedFd, buf: B) -> Recv<B> {
        Recv { socket, buf }
    }
}

// SAFETY: the room is the buffer's, which belongs to the operation and keeps it in its place. The
// operation shares in the descriptor.
unsafe impl<B: IoBufMut> Operation for Recv<B> {
    const KIND: OpKind = OpKind::Recv;
    const LENDS: bool = true;
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let room = length(self.buf.bytes_total());
        opcode::Recv::new(raw(&self.socket), self.buf.as_mut_ptr(), room).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        filled(result, self.buf)
    }
}

/// Notes how much the kernel has written.
fn filled<B: IoBufMut>(result: io::Result<u32>, mut buf: B) -> BufResult<usize, B> {
    let result = result.map(|length| length as usize);
    if let Ok(length) = result {
        // SAFETY: the kernel has written that many bytes to the room, which is not smaller.
        unsafe { buf.set_init(length) };
    }
    (result, buf)
}

/// Reads from a file, beginning at an offset. No bytes are its end.
pub struct ReadAt<B> {
    file: SharedFd,
    buf: B,
    offset: u64,
}

impl<B> ReadAt<B> {
    pub(crate) fn new(file: SharedFd, buf: B, offset: u64) -> ReadAt<B> {
        ReadAt { file, buf, offset }
    }
}

// SAFETY: as for `Recv`.
unsafe impl<B: IoBufMut> Operation for ReadAt<B> {
    const KIND: OpKind = OpKind::Read;
    const LENDS: bool = true;
    type Output = BufResult<usize, B>;

    fn entry(&mut self) -> squeue::Entry {
        let room = length(self.buf.bytes_total());
        opcode::Read::new(raw(&self.file), self.buf.as_mut_ptr(), room).offset(self.offset).build()
    }

    fn complete(self, result: io::Result<u32>) -> BufResult<usize, B> {
        filled(result, self.buf)
    }
}
