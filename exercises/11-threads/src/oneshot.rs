//! A channel for one value, between any two threads, or between a thread and a task.
//!
//! Chapter 3's signal, grown up: each side learns when the other one has gone. The `futures` crate
//! has the same under the same names, without a lock.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{Arc, Mutex, MutexGuard};

/// Makes the two ends of a channel.
///
/// See the section "A channel for one value" of chapter 11.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let waiting = State::Waiting { receiver: None, sender: None };
    let shared = Arc::new(Shared(Mutex::new(waiting)));
    (Sender(shared.clone()), Receiver(shared))
}

struct Shared<T>(Mutex<State<T>>);

enum State<T> {
    /// Both ends are there, and no value. Each end may wait for the other one.
    Waiting { receiver: Option<Waker>, sender: Option<Waker> },
    /// The value, until it is fetched.
    Sent(T),
    /// It was fetched, or one end has gone.
    Closed,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("nothing panics while it holds the lock of a channel")
    }

    /// Puts another state there. The old one is for the caller, to be woken and dropped unlocked:
    /// a waker and a value may run any code.
    fn replace(&self, state: State<T>) -> State<T> {
        std::mem::replace(&mut *self.lock(), state)
    }
}

/// The end that has the value.
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Hands the value over, and wakes the receiver if it waits. Never blocks.
    ///
    /// # Errors
    /// With the value, if the receiver has gone. (It can also go later, unseen.)
    pub fn send(self, value: T) -> Result<(), T> {
        // EXERCISE 11.3: Hand it over
        todo!("11.3: hand the value over and wake who waits for it, or give it back");
        // END 11.3
    }

    /// Waits until the receiver has gone: nobody wants the value any more.
    ///
    /// # Cancel safety
    /// Can be dropped and called again.
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Ready when the receiver has gone. Wakes the task that has polled this last.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        let State::Waiting { sender, .. } = &mut *state else {
            return Poll::Ready(());
        };
        let old = sender.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        // After `send`, the value stays where it is.
        if !matches!(*state, State::Waiting { .. }) {
            return;
        }
        let before = std::mem::replace(&mut *state, State::Closed);
        drop(state);
        if let State::Waiting { receiver: Some(receiver), .. } = before {
            receiver.wake();
        }
    }
}

/// The end that waits for the value.
///
/// # Cancel safety
/// A value that was not returned yet is still there for the next poll. Dropping the receiver drops
/// a value that was sent and not fetched.
pub struct Receiver<T>(Arc<Shared<T>>);

impl<T> Future for Receiver<T> {
    type Output = Result<T, Canceled>;

    /// Polled again after it was ready, this is an error.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Cloned and dropped unlocked, and registered under the lock: see chapter 3's signal.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        if let State::Waiting { receiver, .. } = &mut *state {
            let old = receiver.replace(waker);
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        let over = std::mem::replace(&mut *state, State::Closed);
        drop(state);
        match over {
            State::Sent(value) => Poll::Ready(Ok(value)),
            _ => Poll::Ready(Err(Canceled)),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let State::Waiting { sender: Some(sender), .. } = self.0.replace(State::Closed) {
            sender.wake();
        }
    }
}

/// The sender has gone without a value, or the value was fetched before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canceled;

impl fmt::Display for Canceled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sender has gone without a value")
    }
}

impl std::error::Error for Canceled {}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
