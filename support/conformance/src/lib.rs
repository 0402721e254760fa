//! What every stage of the staircase is tested with.
//!
//! - [`watch`] runs a test body under a deadline, and explains a hang from its trace.
//! - [`Stage`] and [`executor_suite!`]: what every executor owes its tasks.
//! - [`NetStage`] and [`net_suite!`]: what every runtime with sockets owes its streams.
//! - [`Probe`] and [`yield_now`]: futures that tests need again and again.
//! - [`skip`] says what a test leaves out on this machine.
//! - [`demo`] starts the failing demos of a chapter, from its examples and from its tests.
//! - [`replay`] records the runs that the book replays, and compares them with what the book shows.
//! - [`Server`] runs an example that serves, as a child process.

pub mod demo;
#[doc(hidden)]
pub mod executor;
#[doc(hidden)]
pub mod net;
mod probe;
pub mod replay;
mod server;
mod skip;
mod stage;
mod watchdog;

pub use probe::{Probe, yield_now};
pub use server::Server;
pub use skip::skip;
pub use stage::{NetStage, Stage};
pub use watchdog::{DEADLINE, panic_text, watch};

/// Holds what the current thread has recorded against the invariants of [`trace::invariants`].
///
/// # Panics
/// If one of them is broken.
pub fn check_trace() {
    if let Some(recording) = trace::Recording::current()
        && let Err(violation) = trace::invariants::check(&recording.records())
    {
        panic!("{violation}");
    }
}
