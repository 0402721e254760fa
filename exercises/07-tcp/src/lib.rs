//! Chapter 7: TCP streams and listeners as futures, and two servers on them.
//!
//! Every call follows one rule: try first, and if the kernel says `WouldBlock`, have the reactor wake
//! this task when another try is worth it. [`TcpStream`] and [`TcpListener`] are that rule around the
//! types of `std::net`, and [`Runtime`] is the executor of chapter 5 on the reactor of chapter 6.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `runtime` | [`Runtime`]: executor and reactor together |
//! | `source` | the rule: try, arm, wait |
//! | `stream` | [`TcpStream`], and its halves [`ReadHalf`] and [`WriteHalf`] |
//! | `connect` | [`TcpStream::connect`] |
//! | `listener` | [`TcpListener`] |
//! | `signal` | [`ShutdownSignal`]: a signal is one more file descriptor |
//! | [`servers`] | an echo server and an HTTP server, over any stream of connections |
//!
//! ```
//! use ch05_executor::spawn;
//! use ch07_tcp::{Runtime, TcpListener, TcpStream};
//! use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
//!
//! let answer = Runtime::new()?.block_on(async {
//!     let mut listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     spawn(async move {
//!         let mut stream = listener.next().await.expect("a listener never ends").expect("accept");
//!         stream.write_all(b"hello").await.expect("the client reads");
//!     });
//!     let mut answer = String::new();
//!     TcpStream::connect(address).await?.read_to_string(&mut answer).await?;
//!     std::io::Result::Ok(answer)
//! })?;
//! assert_eq!(answer, "hello");
//! # std::io::Result::Ok(())
//! ```

mod connect;
mod listener;
mod runtime;
pub mod servers;
mod signal;
mod source;
mod stream;

pub use listener::TcpListener;
pub use runtime::{Runtime, enter};
pub use signal::ShutdownSignal;
pub use stream::{ReadHalf, TcpStream, WriteHalf};
