use std::io;

/// What a server counts while it serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were accepted, and are over.
    pub served: usize,
    /// Those among them that ended with an error, such as a reset by the client.
    pub failed: usize,
    /// Tries to accept, read or write that the kernel answered with `WouldBlock`: asked in vain.
    pub would_block: u64,
    /// Returns from `epoll_wait`.
    pub wakeups: u64,
}

impl Stats {
    /// Counts one more connection that is over, and whether it ended well.
    pub(crate) fn over(&mut self, result: io::Result<()>) {
        self.served += 1;
        self.failed += usize::from(result.is_err());
    }
}
