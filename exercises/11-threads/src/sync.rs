//! The locks and atomics of `inbox`, `woken` and `oneshot`, in one place: `tests/model.rs` compiles
//! the same three files with loom's, which try every order of the threads' steps.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard};
