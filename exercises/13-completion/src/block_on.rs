use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use ch05_executor::MainWaker;
use scoped_tls::scoped_thread_local;
use trace::{Event, emit};

use crate::Driver;

scoped_thread_local!(static DRIVER: Rc<Driver>);

/// Runs one future to its end on this thread, which sleeps in the driver. Operations that are started
/// meanwhile belong to that.
///
/// There are no tasks yet, and another thread cannot end the sleep: chapter 14 puts the driver under
/// the executor.
///
/// # Panics
/// If the future panics, or if the kernel refuses to wait.
pub fn block_on<F: Future>(driver: &Rc<Driver>, future: F) -> F::Output {
    let main = MainWaker::new(Waker::noop().clone());
    enter(driver, || {
        let mut future = pin!(future);
        loop {
            if main.take_woken()
                && let Poll::Ready(output) = main.poll(future.as_mut())
            {
                return output;
            }
            let timeout = main.is_woken().then_some(Duration::ZERO);
            emit!(Event::Park { timeout });
            driver.wait(timeout).expect("the kernel refuses to wait for completions");
            emit!(Event::Unpark);
        }
    })
}

/// Makes `driver` the one that [`current`] finds on this thread, while `body` runs. Runtimes call this
/// around their loop.
pub fn enter<R>(driver: &Rc<Driver>, body: impl FnOnce() -> R) -> R {
    DRIVER.set(driver, body)
}

/// The driver of the runtime that runs on this thread.
///
/// # Panics
/// If none does.
pub fn current() -> Rc<Driver> {
    try_current()
        .expect("an operation was started outside of block_on: no ring is driven on this thread")
}

/// The driver of the runtime that runs on this thread, if it has one.
pub fn try_current() -> Option<Rc<Driver>> {
    DRIVER.is_set().then(|| DRIVER.with(Rc::clone))
}
