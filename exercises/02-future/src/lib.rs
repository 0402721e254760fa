//! Futures by hand, polled by hand: what `async` and `.await` become.
//!
//! There is no runtime in this chapter. You call [`poll`](Future::poll) yourself, with
//! [`poll_once`], and see each step that a runtime takes later on. Only `std` is used.
//!
//! | module | what it builds | section of the book |
//! | --- | --- | --- |
//! | `by_hand` | [`poll_once`] and [`counting_waker`]: who calls `poll`, and who is woken | Chapter 2, "Who calls poll" |
//! | `countdown`, `yield_now` | [`Countdown`] and [`YieldNow`]: futures that wait for nothing but the next poll | Chapter 2, "A future that you write" |
//! | `desugar` | [`add_slowly`], an `async fn`, beside [`AddSlowly`], the same as an enum and a `poll` | Chapter 2, "An `async fn` is an enum" |
//! | `join` | [`Join`]: two futures at once, until both are done | Chapter 2, "Two at once" |
//! | `select` | [`Select`]: two futures at once, until one is done | Chapter 2, "The first of two" |
//! | `self_borrow` | [`SelfBorrow`]: why a future must not move, and what [`Pin`](std::pin::Pin) promises | Chapter 2, "Why Pin" |

mod by_hand;
mod countdown;
mod desugar;
mod join;
mod select;
mod self_borrow;
mod yield_now;

pub use by_hand::{WakeCount, counting_waker, poll_once};
pub use countdown::{Countdown, countdown};
pub use desugar::{AddSlowly, add_slowly};
pub use join::{Join, join};
pub use select::{Either, Select, select};
pub use self_borrow::{Moved, SelfBorrow, borrow_across_await};
pub use yield_now::{YieldNow, yield_now};
