//! The runtimes, each used as its own documentation tells a careful user to.

mod bare_buffers;
mod bare_epoll;
mod bare_uring;
mod compio;
mod glommio;
mod mini;
mod monoio;
mod smol;
mod tokio;

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::micro;
use crate::output::output;
use crate::rows::Row;

/// How much room each connection of an echo server has for what it reads. A message is smaller.
pub const BUFFER: usize = 4096;

/// What the rows ask of a runtime. A value of it starts tasks on the runtime of this thread.
pub trait Runtime: Copy + 'static {
    /// Makes a runtime, and runs `body` on it.
    fn block_on<T>(body: impl AsyncFnOnce(Self) -> T) -> io::Result<T>;

    /// Starts a task on this thread. It need not be `Send`. The future that is returned waits for it.
    fn spawn<T: 'static>(
        self,
        future: impl Future<Output = T> + 'static,
    ) -> impl Future<Output = T> + 'static;

    /// Lets all other tasks run that can.
    fn yield_now(self) -> impl Future<Output = ()>;

    fn sleep(self, duration: Duration) -> impl Future<Output = ()>;

    /// Whether the future was ready within the limit.
    fn timeout(
        self,
        limit: Duration,
        future: impl Future<Output = ()>,
    ) -> impl Future<Output = bool>;

    /// Accepts this many connections, a task for each, and sends back what comes in until all of them
    /// were closed by the peer. Returns how many bytes that were.
    fn echo(connections: usize) -> io::Result<u64>;
}

/// All that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    MiniUring,
    MiniEpoll,
    Tokio,
    TokioLocal,
    Monoio,
    Glommio,
    Compio,
    Smol,
    BareEpoll,
    BareUring,
    BareBuffers,
}

impl Peer {
    pub const ALL: [Peer; 11] = [
        Peer::MiniUring,
        Peer::MiniEpoll,
        Peer::Tokio,
        Peer::TokioLocal,
        Peer::Monoio,
        Peer::Glommio,
        Peer::Compio,
        Peer::Smol,
        Peer::BareEpoll,
        Peer::BareUring,
        Peer::BareBuffers,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Peer::MiniUring => "mini-uring",
            Peer::MiniEpoll => "mini-epoll",
            Peer::Tokio => "tokio",
            Peer::TokioLocal => "tokio-local",
            Peer::Monoio => "monoio",
            Peer::Glommio => "glommio",
            Peer::Compio => "compio",
            Peer::Smol => "smol",
            Peer::BareEpoll => "bare-epoll",
            Peer::BareUring => "bare-uring",
            Peer::BareBuffers => "bare-buffers",
        }
    }

    pub fn named(name: &str) -> Option<Peer> {
        Peer::ALL.into_iter().find(|peer| peer.name() == name)
    }

    pub fn is_mini(self) -> bool {
        matches!(self, Peer::MiniUring | Peer::MiniEpoll)
    }

    /// A loop written by hand for one purpose: it shows what the kernel takes, and is not ranked.
    pub fn is_bare(self) -> bool {
        matches!(self, Peer::BareEpoll | Peer::BareUring | Peer::BareBuffers)
    }

    pub fn has(self, row: Row) -> bool {
        !self.is_bare() || matches!(row, Row::Echo(_))
    }

    /// Does `operations` of a row in this process, and prints what came of it.
    pub fn work(self, row: Row, operations: u64) -> io::Result<()> {
        match self {
            Peer::MiniUring => work::<mini::Uring>(row, operations),
            Peer::MiniEpoll => work::<mini::Epoll>(row, operations),
            Peer::Tokio => work::<tokio::WithLocalSet>(row, operations),
            Peer::TokioLocal => work::<tokio::Local>(row, operations),
            Peer::Monoio => work::<monoio::Monoio>(row, operations),
            Peer::Glommio => work::<glommio::Glommio>(row, operations),
            Peer::Compio => work::<compio::Compio>(row, operations),
            Peer::Smol => work::<smol::Smol>(row, operations),
            Peer::BareEpoll => serve(row, bare_epoll::echo),
            Peer::BareUring => serve(row, bare_uring::echo),
            Peer::BareBuffers => serve(row, bare_buffers::echo),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

fn work<R: Runtime>(row: Row, operations: u64) -> io::Result<()> {
    if let Row::Echo(_) = row {
        return serve(row, R::echo);
    }
    let mut out = output();
    for (metric, value) in micro::run::<R>(row, operations)? {
        writeln!(out, "{} {value}", metric.name())?;
    }
    Ok(())
}

fn serve(row: Row, echo: impl FnOnce(usize) -> io::Result<u64>) -> io::Result<()> {
    let Row::Echo(connections) = row else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "a bare loop can only echo"));
    };
    let bytes = echo(connections)?;
    writeln!(output(), "served {bytes}")
}

/// Tells the load generator where to connect to.
fn announce(address: SocketAddr) -> io::Result<()> {
    writeln!(output(), "listening {address}")
}
