//! Sockets. The names are those of tokio.
//!
//! A socket belongs to the runtime in which it was made. It can be dropped anywhere on its thread, also when
//! the runtime is gone. Whoever still waits for it then is told by an error, `ECANCELED`, and so is whoever begins to
//! wait.
//!
//! On a ring, a read that is dropped may take bytes with it: each function says under "Cancel safety" what
//! becomes of them. Under a timeout, or beside other futures in a `select`, wait with `readable`, and read
//! when that is ready.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | [`tcp`], `tcp_socket` | [`TcpListener`], [`TcpStream`], [`TcpSocket`] | chapters 7 and 13 |
//! | `udp` | [`UdpSocket`] | |
//! | [`unix`], `unix_datagram` | [`UnixListener`], [`UnixStream`], [`UnixDatagram`] | |
//! | `stream`, `listener` | what TCP and Unix sockets have in common | chapters 7 and 13 |
//! | `split` | the two halves of a stream | chapter 7 |
//! | `polled` | `AsyncRead` and `AsyncWrite` on a ring | chapter 14 |
//! | `address` | [`ToSocketAddrs`], [`lookup_host`] | |
//! | `socket`, `message` | a descriptor, and what all sockets do with it | chapters 6, 7 and 13 |

mod address;
mod listener;
mod macros;
pub(crate) mod message;
mod polled;
pub(crate) mod socket;
mod split;
mod stream;
pub mod tcp;
mod tcp_socket;
mod udp;
pub mod unix;
mod unix_datagram;

pub use address::{ToSocketAddrs, lookup_host};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError, Split};
pub use tcp::{TcpListener, TcpStream};
pub use tcp_socket::TcpSocket;
pub use udp::UdpSocket;
pub use unix::{UnixListener, UnixStream};
pub use unix_datagram::UnixDatagram;
