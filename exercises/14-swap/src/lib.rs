//! Chapter 14: the swap.
//!
//! The ring goes under the executor, and a wheel takes the place of the map of deadlines. Chapter 7's
//! servers and chapter 12's hyper run on that unchanged: they only ever knew `AsyncRead`, `AsyncWrite`
//! and wakers.
//!
//! | module | what is in it |
//! | --- | --- |
//! | `ring_park` | [`RingPark`]: chapter 13's driver as a [`Park`](ch05_executor::Park) |
//! | `doorbell` | [`Doorbell`]: how another thread ends the sleep in a ring |
//! | `time_limit` | [`TimeLimit`]: four ways to get a timeout into a ring |
//! | `per_deadline` | [`PerDeadline`]: the first of them, which is not about the park at all |
//! | `ops` | the operations of this chapter: [`Timeout`](ops::Timeout), [`Poll`](ops::Poll) |
//! | `wheel` | [`Wheel`]: deadlines in O(1) |
//! | `poll_stream` | [`PollStream`], [`PollListener`]: owned buffers behind `AsyncRead` and `AsyncWrite` |
//! | `setup` | [`open_driver`]: a ring with all that this kernel has to offer |
//! | `net` | [`TcpListener`], [`TcpStream`]: on epoll or on a ring, as the runtime is |
//! | `runtime` | [`Runtime`], [`Config`], [`DriverKind`], [`TimerQueue`] |
//!
//! ```
//! use std::time::Duration;
//!
//! use ch08_timers::sleep;
//! use ch14_swap::{Config, DriverKind, Runtime, TimerQueue};
//!
//! let config = Config { driver: DriverKind::Auto, timers: TimerQueue::Wheel, ..Config::default() };
//! Runtime::new(config)?.block_on(sleep_a_little());
//!
//! async fn sleep_a_little() {
//!     sleep(Duration::from_millis(1)).await;
//! }
//! # std::io::Result::Ok(())
//! ```

mod doorbell;
mod net;
pub mod ops;
mod per_deadline;
mod poll_stream;
mod ring_park;
mod runtime;
mod setup;
mod time_limit;
mod wheel;

pub use doorbell::Doorbell;
pub use net::{TcpListener, TcpStream};
pub use per_deadline::PerDeadline;
pub use poll_stream::{PollListener, PollStream};
pub use ring_park::RingPark;
pub use runtime::{Config, DriverKind, Runtime, TimerQueue};
pub use setup::open_driver;
pub use time_limit::TimeLimit;
pub use wheel::Wheel;
