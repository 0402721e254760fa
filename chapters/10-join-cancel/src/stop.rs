use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ch09_fairness::poll_step;
use futures::{AsyncRead, AsyncWrite};

// ANCHOR: stop
/// Tells everybody who has a clone of it that it is time to end. Nobody is forced.
///
/// See the section "Telling" of chapter 10.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    shared: Rc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stopped: Cell<bool>,
    /// Who waits, each under a number of its own.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    last_id: Cell<u64>,
}

impl Stop {
    /// Nobody is told anything yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Tells everybody.
    pub fn stop(&self) {
        // ANCHOR: stop_body
        self.shared.stopped.set(true);
        // Out of the cell before the first is woken: a wake may run any code, and that may wait here.
        let waiting = self.shared.waiting.take();
        waiting.into_values().for_each(Waker::wake);
        // ANCHOR_END: stop_body
    }

    /// Whether it is time to end.
    pub fn is_stopped(&self) -> bool {
        self.shared.stopped.get()
    }

    /// Waits until it is time to end.
    pub fn stopped(&self) -> Stopped {
        let id = self.shared.last_id.get() + 1;
        self.shared.last_id.set(id);
        Stopped { shared: self.shared.clone(), id }
    }
}

/// Made by [`Stop::stopped`]. Is ready from the stop on, however often it is polled.
///
/// # Cancel safety
/// Dropping it takes its waker back, and loses nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Stopped {
    shared: Rc<Shared>,
    id: u64,
}

impl Future for Stopped {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.stopped.get() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let before = self.shared.waiting.borrow_mut().insert(self.id, waker);
        // After the borrow: dropping a waker may run any code, too.
        drop(before);
        Poll::Pending
    }
}

// ANCHOR: stopped_drop
impl Drop for Stopped {
    fn drop(&mut self) {
        let waker = self.shared.waiting.borrow_mut().remove(&self.id);
        drop(waker);
    }
}
// ANCHOR_END: stopped_drop
// ANCHOR_END: stop

// ANCHOR: until_stopped
/// A connection on which the client seems to have said all as soon as it is time to end.
///
/// What the client has sent before is still read, and whoever serves it can still answer. So a server
/// needs no change to end well: it answers what it has got, and closes. Once it has closed its own
/// side, it hears what the client really says again, up to the real end: a connection that is dropped
/// before all has been read is reset by the kernel, and a reset can overtake the last answer.
///
/// Each read costs one step of the task's budget (chapter 9), so that a client who never stops sending
/// cannot keep the thread from its deadline.
///
/// # Cancel safety
/// That of the stream inside.
#[derive(Debug)]
pub struct UntilStopped<S> {
    stream: S,
    stopped: Stopped,
    /// Whether our own side was closed.
    closed: bool,
}

impl<S> UntilStopped<S> {
    /// Ends the reading of `stream` at `stop`.
    pub fn new(stream: S, stop: &Stop) -> UntilStopped<S> {
        UntilStopped { stream, stopped: stop.stopped(), closed: false }
    }

    /// The stream, and the news that it is time to end, for who wants to react to that in another way.
    pub fn into_parts(self) -> (S, Stopped) {
        (self.stream, self.stopped)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for UntilStopped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let UntilStopped { stream, stopped, closed } = self.get_mut();
        // ANCHOR: until_stopped_body
        poll_step(cx, |cx| match Pin::new(stream).poll_read(cx, buffer) {
            // The bytes that were there have come first.
            Poll::Pending if !*closed => Pin::new(stopped).poll(cx).map(|()| Ok(0)),
            poll => poll,
        })
        // ANCHOR_END: until_stopped_body
    }
}
// ANCHOR_END: until_stopped

impl<S: AsyncWrite + Unpin> AsyncWrite for UntilStopped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
