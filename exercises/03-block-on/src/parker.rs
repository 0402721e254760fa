use std::sync::{Arc, Condvar, Mutex};
use std::task::Waker;
use std::time::Duration;

use waker_fn::waker_fn;

const WHOLE: &str = "nothing panics while it holds the token's lock";

/// Puts a thread to sleep until a token arrives.
///
/// A token that arrives early is kept, so the next [`park`](Parker::park) returns at once. There is
/// one token at most: many wakes before a park end that one park.
///
/// See the section "A parker of our own" of chapter 3.
#[derive(Debug, Default)]
pub struct Parker {
    token: Arc<Token>,
}

#[derive(Debug, Default)]
struct Token {
    present: Mutex<bool>,
    arrived: Condvar,
}

impl Parker {
    /// Makes a parker without a token.
    pub fn new() -> Parker {
        Parker::default()
    }

    /// A waker that leaves the token, from any thread. It stays valid when the parker is gone, and
    /// does nothing then.
    pub fn unparker(&self) -> Waker {
        let token = self.token.clone();
        waker_fn(move || token.leave())
    }

    /// Sleeps until the token is there, and takes it. With a `timeout`, sleeps no longer than that,
    /// and leaves without a token if none came. The longest timeout, [`Duration::MAX`], counts as none.
    pub fn park(&self, timeout: Option<Duration>) {
        self.token.take(timeout);
    }
}

impl Token {
    fn leave(&self) {
        // EXERCISE 03.1: A token to sleep on
        todo!("03.1: put the token there, then notify the thread that sleeps");
        // END 03.1
    }

    fn take(&self, timeout: Option<Duration>) {
        // EXERCISE 03.1: A token to sleep on
        todo!("03.1: sleep until the token is there, or the time is up, and take it");
        // END 03.1
    }
}
