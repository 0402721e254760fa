use std::io;

use futures::{AsyncRead, AsyncReadExt};

/// Reads lines. What was read of a line stays here, and not in the future that reads it.
///
/// See the page "What is lost" of chapter 10.
///
/// A line ends with a `\n`; a `\r` before it stays part of the line. A line may be of any length, so
/// whoever sends it decides how much memory it takes.
#[derive(Debug)]
pub struct Lines<S> {
    stream: S,
    /// What was read and not returned yet.
    unread: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Lines<S> {
    /// Reads the lines of `stream`.
    pub fn new(stream: S) -> Lines<S> {
        Lines { stream, unread: Vec::new() }
    }

    /// The next line, without its end. `None` after the last, which may do without an end.
    ///
    /// # Errors
    /// If reading fails.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing if a dropped `read` of the stream does not: the next call goes
    /// on where this one was.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        // EXERCISE 10.1: Lines that survive
        todo!("10.1: return the next line, and lose nothing if this future is dropped");
        // END 10.1
    }
}
