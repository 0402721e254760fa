//! A small and fast thread-per-core async runtime for Linux, on io_uring or epoll.
//!
//! A [`Runtime`] belongs to one thread. Its tasks stay there, so they need not be `Send`; their wakers may go
//! anywhere. It sleeps on io_uring where the kernel has it, and on epoll where not, and the same programs
//! run on both.
//!
//! ```
//! use std::time::Duration;
//!
//! use mini_runtime::io::{AsyncReadOwned, AsyncWriteOwned};
//! use mini_runtime::net::{TcpListener, TcpStream};
//! use mini_runtime::time::timeout;
//! use mini_runtime::{Runtime, spawn};
//!
//! # fn main() -> std::io::Result<()> {
//! Runtime::new()?.block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     let server = spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         // The buffer is given away, and comes back with the result.
//!         let (result, buffer) = stream.read(Vec::with_capacity(1024)).await;
//!         result?;
//!         stream.write_all(buffer).await.0
//!     });
//!
//!     let client = TcpStream::connect(address).await?;
//!     client.write_all(b"hello").await.0?;
//!     let (read, echo) = timeout(Duration::from_secs(5), client.read(Vec::with_capacity(16))).await?;
//!     assert_eq!((read?, &echo[..]), (5, &b"hello"[..]));
//!     server.await.expect("the server does not panic")
//! })
//! # }
//! ```
//!
//! # What to know
//!
//! - A runtime stays on its thread, which runs one at a time. [`Runtime::block_on`] runs it here,
//!   [`Builder::start`] on a thread of its own, and a [`Handle`] reaches it from any thread. No task moves to
//!   another thread: for several cores, make several runtimes, and let them share a port
//!   ([`TcpSocket::set_reuseport`](net::TcpSocket::set_reuseport)).
//! - Functions that need a runtime panic on a thread where none runs. A panic in a task ends that task alone,
//!   and [`JoinHandle`](task::JoinHandle) tells of it.
//! - What is lost when a future is dropped is said under "Cancel safety".
//! - A task gets at most 128 reads, writes, connections and ticks in one poll, and then has to wait for its
//!   next turn, so that a busy socket keeps nobody waiting. Work that computes or blocks for long is for
//!   [`spawn_blocking`](task::spawn_blocking).
//! - [`Runtime::driver`] tells what a runtime sleeps on. Many containers forbid io_uring: there it is epoll.
//! - There are no feature flags, and no files, signals and child processes.
//!
//! # The map
//!
//! Each module is the grown-up of one that a chapter of the course has built.
//!
//! | module | what is in it | chapters |
//! | --- | --- | --- |
//! | [`task`] | [`spawn`], join handles, wakers, `spawn_blocking` | 4, 5, 10, 11 |
//! | `executor` | the table of tasks and the run queue | 5, 9 |
//! | `inbox`, `registry` | how other threads reach a runtime | 11 |
//! | [`runtime`] | [`Runtime`], [`Builder`], [`Handle`], [`RuntimeThread`] | 5, 9, 11, 12 |
//! | `driver` | epoll and io_uring | 6, 13, 14 |
//! | [`time`] | sleeping, timeouts, the wheel | 8, 14 |
//! | [`io`] | buffers that can be lent to the kernel | 13 |
//! | [`net`] | sockets | 7, 13, 14 |
//! | `blocking` | threads for work that blocks | 11 |

// The program of the README is compiled, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod blocking;
mod cell;
mod context;
mod driver;
mod executor;
mod handle;
mod inbox;
pub mod io;
pub mod net;
mod registry;
pub mod runtime;
mod slab;
mod sync;
pub mod task;
mod thread;
pub mod time;
mod unwind;

pub use driver::DriverKind;
pub use runtime::{Builder, Handle, Runtime, RuntimeThread};
pub use task::spawn;
