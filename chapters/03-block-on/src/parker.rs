use std::sync::{Arc, Condvar, Mutex};
use std::task::Waker;
use std::time::Duration;

use waker_fn::waker_fn;

const WHOLE: &str = "nothing panics while it holds the token's lock";

// ANCHOR: parker
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
// ANCHOR_END: parker

impl Parker {
    /// Makes a parker without a token.
    pub fn new() -> Parker {
        Parker::default()
    }

    // ANCHOR: unparker
    /// A waker that leaves the token, from any thread. It stays valid when the parker is gone, and
    /// does nothing then.
    pub fn unparker(&self) -> Waker {
        let token = self.token.clone();
        waker_fn(move || token.leave())
    }
    // ANCHOR_END: unparker

    /// Sleeps until the token is there, and takes it. With a `timeout`, sleeps no longer than that,
    /// and leaves without a token if none came. The longest timeout, [`Duration::MAX`], counts as none.
    pub fn park(&self, timeout: Option<Duration>) {
        self.token.take(timeout);
    }
}

// ANCHOR: token
impl Token {
    fn leave(&self) {
        // ANCHOR: leave_body
        *self.present.lock().expect(WHOLE) = true;
        self.arrived.notify_one();
        // ANCHOR_END: leave_body
    }

    fn take(&self, timeout: Option<Duration>) {
        // ANCHOR: take_body
        let present = self.present.lock().expect(WHOLE);
        // A condition variable may return without a notification. Only the token counts.
        let absent = |present: &mut bool| !*present;
        let mut present = match timeout {
            None => self.arrived.wait_while(present, absent).expect(WHOLE),
            Some(limit) => {
                let waited = self.arrived.wait_timeout_while(present, limit, absent);
                waited.expect(WHOLE).0
            }
        };
        *present = false;
        // ANCHOR_END: take_body
    }
}
// ANCHOR_END: token

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::watch;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::thread;
    use std::time::Instant;

    /// Notifies the condition variable without a token until `park` has returned.
    fn disturbed(parker: &Parker, park: impl FnOnce()) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(SeqCst) {
                    parker.token.arrived.notify_all();
                    thread::yield_now();
                }
            });
            park();
            over.store(true, SeqCst);
        });
    }

    #[test]
    fn a_notification_without_a_token_does_not_end_a_timed_park() {
        watch(|| {
            let parker = Parker::new();
            let limit = Duration::from_millis(20);
            let start = Instant::now();
            disturbed(&parker, || parker.park(Some(limit)));
            assert!(start.elapsed() >= limit, "the park ended early");
        });
    }

    #[test]
    fn a_notification_without_a_token_does_not_end_a_park() {
        watch(|| {
            let parker = Parker::new();
            let unparker = parker.unparker();
            let left = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        parker.token.arrived.notify_all();
                        thread::yield_now();
                    }
                    left.store(true, SeqCst);
                    unparker.wake();
                });
                parker.park(None);
                assert!(left.load(SeqCst), "the park ended without a token");
            });
        });
    }
}
