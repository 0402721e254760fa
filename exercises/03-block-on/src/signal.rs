use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

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

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("nothing panics while it holds the lock of a signal")
    }

    fn finish(&self, value: Option<T>) {
        let mut state = self.lock();
        let State::Unset(waker) = &mut *state else {
            return;
        };
        let waker = waker.take();
        *state = State::Over(value);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

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

/// A future that is ready with the value when its [`Setter`] sets it, or with `None` when the
/// setter is dropped instead. Polled again after that, it is ready with `None`.
///
/// Cancel safe: a value that was not returned yet is still there for the next poll. Only the waker
/// of the last poll is woken.
pub struct Signal<T>(Arc<Shared<T>>);

impl<T> Future for Signal<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // EXERCISE 03.3: Look, and leave a waker
        todo!("03.3: return the value if the signal is over; if not, leave the waker where `finish` will find it");
        // END 03.3
    }
}
