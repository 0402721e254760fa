use std::io;

use futures::{AsyncRead, AsyncReadExt};

// ANCHOR: lines
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
        // ANCHOR: lines_body
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.unread, rest);
                line.pop();
                return Ok(Some(line));
            }
            let mut buffer = [0; 1024];
            // The only place to be cancelled at, and nothing has been taken out of the stream then.
            let length = self.stream.read(&mut buffer).await?;
            if length == 0 {
                let rest = std::mem::take(&mut self.unread);
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.unread.extend_from_slice(&buffer[..length]);
        }
        // ANCHOR_END: lines_body
    }
}
// ANCHOR_END: lines
