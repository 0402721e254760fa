use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

use crate::ops::{Close, ReadAt, WriteAt};
use crate::{BufResult, Driver, IoBuf, IoBufMut, current};

/// A file that is read and written without blocking the thread: what epoll cannot do.
///
/// See the section "Files are the same" of chapter 13.
#[derive(Debug)]
pub struct File {
    file: Rc<fs::File>,
    driver: Rc<Driver>,
}

impl File {
    /// Opens a file for reading. The opening itself blocks.
    ///
    /// # Errors
    /// As [`std::fs::File::open`].
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    pub fn open(path: impl AsRef<Path>) -> io::Result<File> {
        Ok(File::from_std(fs::File::open(path)?))
    }

    /// Reads and writes a file that is open already.
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    pub fn from_std(file: fs::File) -> File {
        File { file: Rc::new(file), driver: current() }
    }

    /// Reads what is there from `offset` on, up to the room of the buffer. No bytes are the end.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// Nothing is lost but the buffer: the file has no position that would have moved.
    pub async fn read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        self.driver.submit(ReadAt::new(self.file.clone(), buf, offset)).await
    }

    /// Writes what can be written, from `offset` on.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// It is not known how much was written when the future is dropped.
    pub async fn write_at<B: IoBuf>(&self, buf: B, offset: u64) -> BufResult<usize, B> {
        self.driver.submit(WriteAt::new(self.file.clone(), buf, offset)).await
    }

    /// Closes the file, and says how that went.
    ///
    /// # Errors
    /// As the system call: what was written before may be lost. The descriptor is closed nevertheless.
    ///
    /// # Cancel safety
    /// The file is closed in any case.
    pub async fn close(self) -> io::Result<()> {
        match Rc::try_unwrap(self.file) {
            Ok(file) => self.driver.submit(Close::new(file.into())).await,
            // An operation whose future was dropped still works on it, and closes it when it ends.
            Err(_shared) => Ok(()),
        }
    }
}
