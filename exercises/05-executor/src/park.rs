use std::io;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use ch03_block_on::Parker;

/// What an executor sleeps on.
///
/// See the section "What a `Park` promises" of chapter 5.
pub trait Park {
    /// Blocks the thread until a source has something to say, [`unparker`](Park::unparker) was
    /// woken, or `timeout` has passed. `None` sets no limit; zero looks at the sources without
    /// sleeping. May return early, for no reason at all.
    ///
    /// # Errors
    /// If the sources cannot be asked.
    fn park(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// A waker that ends the running `park`, or else the next one, from any thread.
    fn unparker(&self) -> Waker;
}

impl Park for Parker {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        Parker::park(self, timeout);
        Ok(())
    }

    fn unparker(&self) -> Waker {
        Parker::unparker(self)
    }
}

impl<P: Park + ?Sized> Park for Rc<P> {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        (**self).park(timeout)
    }

    fn unparker(&self) -> Waker {
        (**self).unparker()
    }
}
