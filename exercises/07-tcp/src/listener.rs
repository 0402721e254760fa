use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ch06_reactor::Direction;
use futures::Stream;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::TcpStream;
use crate::source::Source;

/// Accepts TCP connections, as an endless stream of them.
///
/// An error that [`Stream::poll_next`] gives concerns one connection; the next one may be fine.
///
/// When the process runs out of file descriptors, the stream says so once, and then looks every 20 ms
/// whether there is one again. The clients wait in the kernel's backlog meanwhile.
///
/// One task at a time may wait for connections: the later one takes the place of the earlier, which
/// is not woken then.
#[derive(Debug)]
pub struct TcpListener {
    source: Source<net::TcpListener>,
    /// Becomes readable when it is time to look again. Made in advance, because it takes a descriptor.
    pause: Source<TimerFd>,
    /// Whether it is being waited for.
    pausing: Cell<bool>,
    /// Whether the shortage of descriptors was told.
    told: Cell<bool>,
}

const PAUSE: Duration = Duration::from_millis(20);

impl TcpListener {
    /// Listens on the first of the addresses that can be had. Port 0 is a port that the kernel
    /// chooses: [`local_addr`](TcpListener::local_addr) tells which.
    ///
    /// # Errors
    /// If the address is malformed, not one of this machine's, in use, or not allowed.
    ///
    /// # Panics
    /// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        TcpListener::from_std(net::TcpListener::bind(address)?)
    }

    /// Accepts from a socket that listens already, and makes it non-blocking.
    ///
    /// # Errors
    /// If no file descriptor is left.
    ///
    /// # Panics
    /// Outside of [`Runtime::block_on`](crate::Runtime::block_on).
    pub fn from_std(listener: net::TcpListener) -> io::Result<TcpListener> {
        let source = Source::new(listener)?;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        let pause = Source::new(timer)?;
        Ok(TcpListener { source, pause, pausing: Cell::new(false), told: Cell::new(false) })
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.io().local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// As the stream's items.
    ///
    /// # Cancel safety
    /// Dropping the future loses no connection.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if self.pausing.get() {
                // The listener is still ready. To wait for that would be to spin.
                ready!(self.pause.poll_io(Direction::Read, cx, |timer| Ok(timer.wait()?)))?;
                self.pausing.set(false);
            }
            match ready!(self.source.poll_io(Direction::Read, cx, accept_one)) {
                Ok((stream, peer)) => {
                    self.told.set(false);
                    return Poll::Ready(Ok((TcpStream::from_std(stream)?, peer)));
                }
                Err(error) if is_out_of_descriptors(&error) => {
                    // EXERCISE 07.5: No descriptor left
                    todo!("07.5: set the timer, pause, and report the shortage if that was not done yet");
                    // END 07.5
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Stream for TcpListener {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = ready!(self.poll_accept(cx));
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}

fn accept_one(listener: &net::TcpListener) -> io::Result<(net::TcpStream, SocketAddr)> {
    loop {
        match listener.accept() {
            // This client has gone again. Others may be waiting behind it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            result => return result,
        }
    }
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
}
