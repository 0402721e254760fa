//! Why a future must stay where it was polled.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::yield_now;

/// Keeps a borrow of its own local across an `.await`.
///
/// Its future holds both `number` and the reference to it, so it must not move once it has been
/// polled. The compiler knows, and does not let it be polled without a promise:
///
/// ```compile_fail,E0277
/// let mut future = ch02_future::borrow_across_await(7);
/// std::pin::Pin::new(&mut future); // asks for `Unpin`: "it may move, pinned or not"
/// ```
///
/// Once the promise is given, the future cannot be taken out of its pin again:
///
/// ```compile_fail,E0507
/// let pinned = std::pin::pin!(ch02_future::borrow_across_await(7));
/// let moved = *pinned;
/// ```
///
/// Nor can two of them change places:
///
/// ```compile_fail,E0596
/// let mut one = std::pin::pin!(ch02_future::borrow_across_await(7));
/// let mut two = std::pin::pin!(ch02_future::borrow_across_await(8));
/// std::mem::swap(&mut *one, &mut *two);
/// ```
///
/// See the book, chapter 2, "Why Pin".
pub async fn borrow_across_await(number: u32) -> u32 {
    let borrowed = &number;
    yield_now().await;
    *borrowed
}

/// [`borrow_across_await`] by hand, with an address where the compiler has a reference.
///
/// An address is only a number: when it has gone stale, this future says so, where a reference
/// would read memory that is no longer its own. Unlike the real one it is [`Unpin`], so that you
/// can do to it what you cannot do to the real one.
///
/// See the book, chapter 2, "Why Pin".
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct SelfBorrow {
    number: u32,
    borrowed: Option<usize>,
}

impl Future for SelfBorrow {
    type Output = Result<u32, Moved>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // EXERCISE 02.5: Notice that you were moved
        todo!("02.5: first note where the number is, and later see whether it is still there");
        // END 02.5
    }
}

impl SelfBorrow {
    /// Is going to borrow `number`, at the first poll, and to read it at the second.
    pub fn new(number: u32) -> Self {
        Self { number, borrowed: None }
    }
}

/// The future was moved between two polls: what it had borrowed is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The address that was borrowed.
    pub then: usize,
    /// The address of the same value now.
    pub now: usize,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distance = self.now.abs_diff(self.then);
        write!(
            f,
            "the future has moved by {distance} bytes since it borrowed from itself: \
             a reference would point at something else now"
        )
    }
}

impl Error for Moved {}
