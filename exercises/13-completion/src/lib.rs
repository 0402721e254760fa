//! Chapter 13: completion.
//!
//! epoll says when a call is worth a try. io_uring is given the call, makes it, and says what came of
//! it. So the kernel holds our buffer while we do something else, and a buffer that the kernel holds
//! must not be freed, whatever becomes of the future that asked. Everything here follows from that:
//! operations own their buffers, a dropped future leaves its operation to the driver, and the driver
//! does not go before the last operation has come home.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `ring` | [`open`]: a ring, or a sentence that says why there is none |
//! | `by_hand` | [`by_hand::echo`]: a server in one loop around the two queues |
//! | `slab` | [`Slab`]: numbers for what flies, which are not taken for older ones |
//! | `driver` | [`Driver`]: submits operations, and routes their completions |
//! | `op` | [`Operation`], and [`Op`]: the future of one |
//! | `buf` | [`IoBuf`], [`IoBufMut`], [`Slice`]: buffers that can be lent to the kernel |
//! | `ops` | accept, connect, receive, send, read, write, close |
//! | `io` | [`AsyncReadOwned`], [`AsyncWriteOwned`], and what can be built on them |
//! | `net` | [`TcpListener`], [`TcpStream`] |
//! | `file` | [`File`] |
//! | `block_on` | [`block_on`]: one future, and a driver to sleep on |
//!
//! ```
//! use std::rc::Rc;
//!
//! use ch13_completion::{AsyncReadOwned, AsyncWriteOwnedExt, Driver, TcpListener, TcpStream, block_on};
//!
//! # fn main() -> std::io::Result<()> {
//! # if Driver::new(8).is_err() { return Ok(()) }
//! let driver = Rc::new(Driver::new(8)?);
//! block_on(&driver, async {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let client = TcpStream::connect(listener.local_addr()?).await?;
//!     let (server, _) = listener.accept().await?;
//!
//!     let (sent, _) = client.write_all(b"hello").await;
//!     sent?;
//!     // The buffer goes along, and comes back with the result.
//!     let (received, buffer) = server.read(Vec::with_capacity(16)).await;
//!     assert_eq!((received?, &buffer[..]), (5, &b"hello"[..]));
//!     Ok(())
//! })
//! # }
//! ```

mod block_on;
mod buf;
pub mod by_hand;
mod driver;
mod file;
mod io;
mod net;
mod op;
pub mod ops;
mod ring;
mod slab;

pub use block_on::{block_on, current, enter, try_current};
pub use buf::{BufResult, IoBuf, IoBufMut, Slice};
pub use driver::{Counts, Driver};
pub use file::File;
pub use io::{AsyncReadOwned, AsyncReadOwnedExt, AsyncWriteOwned, AsyncWriteOwnedExt};
pub use net::{TcpListener, TcpStream};
pub use op::{Op, Operation};
pub use ring::open;
pub use slab::{Key, Slab};
