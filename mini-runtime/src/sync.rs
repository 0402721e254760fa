//! The locks and threads of `inbox` and of the blocking pool's `workers`, in one place: `tests/model.rs`
//! compiles the same two files with loom's, which try every order of the threads' steps.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard};
pub(crate) use std::thread;
