use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ch08_timers::sleep_until;
use ch11_threads::oneshot;
use futures::{AsyncRead, AsyncWrite};
use hyper::rt::{Executor, ReadBufCursor, Sleep, Timer};

/// A stream of ours as hyper wants it.
///
/// See the section "What hyper asks for" of chapter 12.
///
/// # Cancel safety
/// That of the stream inside.
#[derive(Debug)]
pub struct HyperIo<S>(pub S);

impl<S: AsyncRead + Unpin> hyper::rt::Read for HyperIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // EXERCISE 12.2: Read for hyper
        todo!("12.2: read into the room that is left, and move the cursor on");
        // END 12.2
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for HyperIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }
}

/// Starts hyper's tasks on the executor of this thread. hyper is generic over its executor, so the
/// futures need not be `Send`.
///
/// See the section "What hyper asks for" of chapter 12.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperExecutor;

impl<F> Executor<F> for HyperExecutor
where
    F: Future + 'static,
{
    /// # Panics
    /// If no executor runs on this thread.
    fn execute(&self, future: F) {
        drop(ch10_join_cancel::spawn(future));
    }
}

/// hyper's clock: that of the runtime on this thread.
///
/// hyper wants its sleeps to be `Send` and `Sync`. Ours belongs to the timers of its thread, and is
/// neither. So it stays at home, in a task, and what hyper gets is the receiver of a channel.
///
/// See the section "What hyper asks for" of chapter 12.
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer;

impl Timer for HyperTimer {
    /// # Panics
    /// If no runtime runs on this thread.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        sleep_in_a_task(ch08_timers::sleep(duration))
    }

    /// # Panics
    /// If no runtime runs on this thread.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        sleep_in_a_task(sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        ch08_timers::Timers::current().clock().now()
    }
}

fn sleep_in_a_task(sleep: ch08_timers::Sleep) -> Pin<Box<dyn Sleep>> {
    let (sender, receiver) = oneshot::channel::<()>();
    ch09_fairness::spawn(async move {
        sleep.await;
        drop(sender);
    });
    Box::pin(HyperSleep(receiver))
}

/// Ready when the task has ended, and its sender with it.
struct HyperSleep(oneshot::Receiver<()>);

impl Future for HyperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl Sleep for HyperSleep {}
