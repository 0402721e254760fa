use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

// ANCHOR: state
/// A future for a value, and the handle by which another thread sets it, once.
///
/// See the section "A signal that loses nothing" of chapter 3.
pub fn signal<T>() -> (Setter<T>, Signal<T>) {
    let shared = Arc::new(Shared(Mutex::new(State::Unset(None))));
    (Setter(shared.clone()), Signal(shared))
}

struct Shared<T>(Mutex<State<T>>);

enum State<T> {
    /// Nothing yet. Holds the waker of the last poll, if there was one.
    Unset(Option<Waker>),
    /// The value until it is fetched. `None` if it was, or will never come.
    Over(Option<T>),
}
// ANCHOR_END: state

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("nothing panics while it holds the lock of a signal")
    }

    // ANCHOR: finish
    fn finish(&self, value: Option<T>) {
        let mut state = self.lock();
        let State::Unset(waker) = &mut *state else {
            return;
        };
        let waker = waker.take();
        *state = State::Over(value);
        // Waking runs code that we do not know. It may poll this very signal.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
    // ANCHOR_END: finish
}

// ANCHOR: setter
/// Sets the value of a [`Signal`]. Dropped without that, it ends the signal with `None`.
pub struct Setter<T>(Arc<Shared<T>>);

impl<T> Setter<T> {
    /// Sets the value, and wakes the future if it waits. If the [`Signal`] was dropped, so is the
    /// value.
    pub fn set(self, value: T) {
        self.0.finish(Some(value));
    }
}

impl<T> Drop for Setter<T> {
    fn drop(&mut self) {
        // After `set`, this finds the state `Over` and leaves it alone.
        self.0.finish(None);
    }
}
// ANCHOR_END: setter

// ANCHOR: signal
/// A future that is ready with the value when its [`Setter`] sets it, or with `None` when the
/// setter is dropped instead. Polled again after that, it is ready with `None`.
///
/// Cancel safe: a value that was not returned yet is still there for the next poll. Only the waker
/// of the last poll is woken.
pub struct Signal<T>(Arc<Shared<T>>);

impl<T> Future for Signal<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // ANCHOR: poll_body
        // Cloning a waker runs code that we do not know, as dropping and waking one does: none of
        // the three happens under the lock.
        let waker = context.waker().clone();
        // Held from the look to the registration, so that no `set` falls between them.
        let mut state = self.0.lock();
        let old = match &mut *state {
            State::Over(value) => return Poll::Ready(value.take()),
            State::Unset(kept) => kept.replace(waker),
        };
        drop(state);
        drop(old);
        Poll::Pending
        // ANCHOR_END: poll_body
    }
}
// ANCHOR_END: signal
