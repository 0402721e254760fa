//! One echo server, four ways to wait.
//!
//! Whatever a client sends is sent back to it. That is all the servers of this chapter do, and all
//! of them do it correctly. They differ in one thing: what their thread does while a client says
//! nothing.
//!
//! | module | while a client says nothing | price |
//! | --- | --- | --- |
//! | [`blocking`] | the only thread sleeps in `read` | all other clients wait too |
//! | [`threads`] | that client's own thread sleeps in `read` | a thread for each client |
//! | [`spin`] | the only thread asks everybody, round and round | a core |
//! | [`callbacks`] | the only thread sleeps in `epoll_wait`, for all clients at once | the program is turned inside out |
//!
//! Beside them stand `connection.rs` (a connection that can be left in the middle, for the last
//! two), `errors.rs` (errors that are no reason to stop) and [`Stats`] (what a server counts).
//! Chapter 1 of the book walks through all of it.

pub mod blocking;
pub mod callbacks;
mod connection;
mod errors;
pub mod spin;
mod stats;
pub mod threads;

pub use stats::Stats;

use std::io;
use std::net::TcpListener;

/// How many bytes a server reads at a time, at most.
const BUFFER: usize = 4096;

/// What the four servers have in common: serve so many connections, then return what was counted.
///
/// A connection is served until its client has closed its sending half and has been sent the rest,
/// or until it breaks. A connection that breaks never ends the server.
///
/// # Errors
/// If the listener cannot be used (any more), or the system gives the server no epoll instance.
pub type Serve = fn(TcpListener, usize) -> io::Result<Stats>;

/// The four servers, by name.
pub const WAYS: [(&str, Serve); 4] = [
    ("blocking", blocking::serve),
    ("threads", threads::serve),
    ("spin", spin::serve),
    ("callbacks", callbacks::serve),
];
