//! Sockets.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `tcp` | [`TcpListener`], [`TcpStream`] | chapters 7 and 13 |
//! | `socket` | what all sockets share | chapters 6, 7 and 13 |
//! | `polled` | `AsyncRead` and `AsyncWrite` on a ring | chapter 14 |

mod polled;
pub(crate) mod socket;
mod tcp;

pub use tcp::{TcpListener, TcpStream};
