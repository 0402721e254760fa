//! Chapter 6: epoll becomes wakes.
//!
//! A [`Reactor`] knows who waits for which file descriptor. It does no input or output itself: it
//! asks the kernel to report readiness, sleeps until a report comes, and wakes the task that waits
//! for it. As a [`Park`](ch05_executor::Park) it takes the place of chapter 3's parker under chapter
//! 5's executor.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `reactor` | [`Reactor`]: registrations, waker slots, and the wait |
//! | `slots` | where wakers stand: [`read_key`], [`write_key`] |
//!
//! ```
//! use std::future::poll_fn;
//! use std::io::{self, Write};
//! use std::os::fd::AsRawFd;
//! use std::rc::Rc;
//! use std::task::Poll;
//!
//! use ch05_executor::Executor;
//! use ch06_reactor::{Direction, Reactor};
//!
//! let reactor = Rc::new(Reactor::new()?);
//! let (reader, mut writer) = io::pipe()?;
//! let fd = reader.as_raw_fd();
//! reactor.add(Rc::new(reader))?;
//!
//! std::thread::spawn(move || writer.write_all(b"x"));
//!
//! let mut armed = false;
//! Executor::new(reactor.clone()).block_on(poll_fn(|cx| {
//!     if armed {
//!         return Poll::Ready(Ok(())); // woken: there is something to read now
//!     }
//!     armed = true;
//!     match reactor.arm(fd, Direction::Read, cx) {
//!         Ok(()) => Poll::Pending,
//!         Err(error) => Poll::Ready(Err(error)),
//!     }
//! }))?;
//! # Ok::<(), io::Error>(())
//! ```

mod reactor;
mod slots;

pub use reactor::Reactor;
pub use slots::{read_key, write_key};
pub use trace::Direction;
