//! What is printed. It may go into a pipe, and whoever reads there may have enough of it before its end.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output. Its errors say whose they are: sockets are written to here as well, and break.
pub struct Output<W>(W);

/// Standard output, for anybody who has something to say.
pub fn output() -> Output<Stdout> {
    Output(io::stdout())
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(unprinted)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(unprinted)
    }
}

fn unprinted(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Unprinted(error))
}

/// Whether this error says that nobody reads what is printed any more.
pub fn is_unread(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
        && error.get_ref().is_some_and(|inner| inner.is::<Unprinted>())
}

#[derive(Debug)]
struct Unprinted(io::Error);

impl fmt::Display for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what was measured cannot be printed: {}", self.0)
    }
}

impl Error for Unprinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe or a file that takes nothing.
    struct Takes(ErrorKind);

    impl Write for Takes {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_has_gone_is_told_from_a_socket_that_breaks_and_from_a_full_disk() {
        let said = |kind| writeln!(Output(Takes(kind)), "1 ns").unwrap_err();
        assert!(is_unread(&said(ErrorKind::BrokenPipe)));
        assert!(!is_unread(&said(ErrorKind::StorageFull)));
        assert!(!is_unread(&ErrorKind::BrokenPipe.into()));
    }
}
