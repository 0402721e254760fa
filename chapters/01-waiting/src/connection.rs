use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use crate::BUFFER;
use crate::errors::uninterrupted;

// ANCHOR: connection
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
        // ANCHOR: write_body
        while !self.is_drained() {
            let rest = &self.buffer[self.unwritten.clone()];
            self.unwritten.start += uninterrupted(|| self.stream.write(rest))?;
        }
        Ok(())
        // ANCHOR_END: write_body
    }
}
// ANCHOR_END: connection

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::{RcvBuf, SndBuf};

    /// What a call gave, or nothing if it would have had to wait.
    fn tried<T>(result: io::Result<T>) -> Option<T> {
        result.inspect_err(|error| assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}")).ok()
    }

    /// A client, and the server's side of its connection, with small buffers.
    fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        setsockopt(&listener, SndBuf, &10_000).unwrap(); // what is accepted inherits it
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        setsockopt(&client, RcvBuf, &10_000).unwrap();
        client.set_nonblocking(true).unwrap();
        let (stream, _) = listener.accept().unwrap();
        (client, Connection::new(stream).unwrap())
    }

    #[test]
    fn nothing_to_read_is_would_block_and_changes_nothing() {
        let (_client, mut connection) = pair();
        assert_eq!(tried(connection.read()), None);
        assert!(connection.is_drained());
    }

    #[test]
    fn what_cannot_be_written_now_is_written_later() {
        conformance::watch(|| {
            let (mut client, mut connection) = pair();
            let mut sent: Vec<u8> = Vec::new();
            let mut received: Vec<u8> = Vec::new();

            // The client sends and does not read, until the connection cannot write any more.
            while connection.is_drained() {
                let message = [sent.len() as u8; 1000];
                let n = tried(client.write(&message)).unwrap_or(0);
                sent.extend(&message[..n]);
                tried(connection.read());
                tried(connection.write());
            }

            // Now the client reads and does not send.
            let mut buffer = [0; 1000];
            while received.len() < sent.len() {
                let n = tried(client.read(&mut buffer)).unwrap_or(0);
                received.extend(&buffer[..n]);
                if connection.is_drained() {
                    tried(connection.read());
                }
                tried(connection.write());
            }
            assert!(received == sent, "other bytes came back");
        });
    }
}
