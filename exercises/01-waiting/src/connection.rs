use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use crate::BUFFER;
use crate::errors::uninterrupted;

/// A connection that can be left in the middle, and be taken up again later.
///
/// These are the local variables of [`echo`](crate::blocking::echo). They had the stack of a
/// thread to live on. A thread that leaves must put them somewhere else.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The part of `buffer` that was read and is still to be written.
    unwritten: Range<usize>,
}

impl Connection {
    /// Makes the stream non-blocking: from here on, a call that would have to wait fails with
    /// `WouldBlock`.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, buffer: vec![0; BUFFER], unwritten: 0..0 })
    }

    /// Whether all that was read has been written.
    pub(crate) fn is_drained(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Reads once. Call it when the connection is drained, because it uses the buffer anew.
    /// Gives 0 when the client has no more to say.
    pub(crate) fn read(&mut self) -> io::Result<usize> {
        let n = uninterrupted(|| self.stream.read(&mut self.buffer))?;
        self.unwritten = 0..n;
        Ok(n)
    }

    /// Writes until the connection is drained. On `WouldBlock`, the rest stays for another call.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        // EXERCISE 01.3: Leave in the middle
        todo!("01.3: write until all is written, and keep the rest if the socket takes no more");
        // END 01.3
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
