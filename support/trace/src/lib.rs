//! Typed events of a run: recorded, checked, explained.
//!
//! A runtime says what it does with [`emit!`], one call per step. Nothing happens unless the thread
//! is attached to a [`Recording`]; in a release build the calls are not even compiled in. The
//! recorded events serve tests (see [`invariants`]), people who look at a hang (see [`explain`]),
//! and the replays in the book (see [`Replay`]).
//!
//! ```
//! use trace::{Event, Recording, emit};
//!
//! let recording = Recording::new();
//! let attached = recording.attach();
//! emit!(Event::Spawn { task: 1 });
//! drop(attached);
//! emit!(Event::Spawn { task: 2 }); // nobody records this one
//!
//! assert_eq!(recording.events(), [Event::Spawn { task: 1 }]);
//! ```

mod chrome;
mod event;
mod explain;
pub mod invariants;
mod json;
mod recording;
mod replay;
mod wire;
mod words;

pub use chrome::to_chrome_trace;
pub use event::{Cause, Direction, Event, Io, MAIN, OpId, OpKind, PollResult, TaskId};
pub use explain::explain;
pub use json::to_json_lines;
pub use recording::{Attached, CauseGuard, LIMIT, Place, Record, Recording, caused_by, record};
pub use replay::{End, Replay};
pub use wire::read_copy;
pub use words::Cast;

/// Whether [`emit!`] does anything: in debug builds only, so that a release build pays nothing.
pub const ENABLED: bool = cfg!(debug_assertions);

/// Records an [`Event`], if this is a debug build and the thread is attached to a [`Recording`].
/// The event is not built otherwise.
#[macro_export]
macro_rules! emit {
    ($event:expr) => {
        if $crate::ENABLED {
            $crate::record($crate::Place::new(file!(), line!()), || $event);
        }
    };
}
