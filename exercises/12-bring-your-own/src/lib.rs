//! Chapter 12: bring your own.
//!
//! A library should not choose the runtime. Here is how it asks for one, and what our runtime has to
//! bring to be the one that is given.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `exec` | [`Executor`]: what a library asks for; [`Exec`]: its own, a global one, or that of the caller |
//! | `read_ahead` | [`ReadAhead`]: a library that needs an executor, and does not care which |
//! | `hyper_rt` | what hyper asks for: [`HyperIo`], [`HyperExecutor`], [`HyperTimer`] |
//! | `http` | [`http1`] and [`http2`]: one connection, served by hyper |
//! | `worker` | a thread with a runtime of its own |
//! | `dedicated` | [`DedicatedExecutor`]: other threads, of lower priority, for work that computes; [`Job`] |
//! | `per_core` | [`per_core`]: a runtime for each core, which share nothing but a port |
//! | `per_thread` | [`PerThread`]: one client per thread, instead of one for all |
//! | `main_macro` | [`main!`](crate::main!): what an async `main` is |

mod dedicated;
mod exec;
mod http;
mod hyper_rt;
mod main_macro;
mod per_core;
mod per_thread;
mod read_ahead;
mod worker;

pub use dedicated::{DedicatedExecutor, Job};
pub use exec::{AlreadySet, Exec, Executor, NoExecutor, set_global};
pub use http::{http1, http2};
pub use hyper_rt::{HyperExecutor, HyperIo, HyperTimer};
pub use main_macro::run;
pub use per_core::{Core, Cores, listen_reuse_port, per_core};
pub use per_thread::PerThread;
pub use read_ahead::ReadAhead;
