use std::fmt;
use std::io::{self, IoSlice};
use std::mem;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ch13_completion::ops::{Accept, Recv, Send};
use ch13_completion::{Op, TcpListener, TcpStream, current};
use futures::{AsyncRead, AsyncWrite, Stream};
use nix::errno::Errno;

use crate::ops::Timeout;

/// How many bytes one operation carries at most.
const BUFFER: usize = 16 * 1024;
/// How long to wait for a descriptor, when the process has none left.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection on a ring, for programs that know `AsyncRead` and `AsyncWrite`.
///
/// These lend a buffer for the length of one poll. The kernel wants one for the length of an operation.
/// So the stream has two buffers of its own, and copies.
///
/// See the section "The adapter" of chapter 14.
///
/// # Cancel safety
/// A dropped `read` future has lost no bytes: its operation goes on in the stream, for whoever reads
/// next. A write that was begun goes on, too. If the next one begins with the same bytes, it is taken
/// for that one, and otherwise it comes after it.
pub struct PollStream {
    stream: TcpStream,
    /// What was received. The bytes from `next` on were not fetched yet.
    received: Vec<u8>,
    next: usize,
    recv: Option<Op<Recv<Vec<u8>>>>,
    /// What is sent, while the kernel does not have it.
    sending: Vec<u8>,
    send: Option<Op<Send<Vec<u8>>>>,
}

impl PollStream {
    /// Puts `AsyncRead` and `AsyncWrite` before a stream.
    pub fn new(stream: TcpStream) -> PollStream {
        PollStream {
            stream,
            received: Vec::new(),
            next: 0,
            recv: None,
            sending: Vec::new(),
            send: None,
        }
    }

    /// Connects to the first of the addresses that accepts.
    ///
    /// # Errors
    /// As [`TcpStream::connect`].
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the connection.
    pub async fn connect(to: impl ToSocketAddrs) -> io::Result<PollStream> {
        Ok(PollStream::new(TcpStream::connect(to).await?))
    }

    /// The stream inside.
    pub fn get_ref(&self) -> &TcpStream {
        &self.stream
    }

    /// Waits until no write is on its way. Returns how many bytes the last one has sent, if there was
    /// one: they are at the beginning of `sending`.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Ok(None)) };
        let (result, sending) = ready!(Pin::new(send).poll(cx));
        self.send = None;
        self.sending = sending;
        Poll::Ready(result.map(Some))
    }
}

impl AsyncRead for PollStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // EXERCISE 14.4: Two buffers of its own
        todo!("14.4: receive into a buffer of our own, and copy from there");
        // END 14.4
    }
}

impl AsyncWrite for PollStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // EXERCISE 14.4: Two buffers of its own
        todo!("14.4: copy into a buffer of our own, and send that");
        // END 14.4
    }

    /// Waits for a write that was begun and given up.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_sent(cx).map_ok(drop)
    }

    /// Closes the write side. A connection that is gone counts as closed.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(match self.stream.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        })
    }
}

/// Whether the slices, one behind the other, begin with these bytes.
fn begins_with(slices: &[IoSlice<'_>], bytes: &[u8]) -> bool {
    let mut rest = bytes;
    for slice in slices {
        let length = slice.len().min(rest.len());
        if slice[..length] != rest[..length] {
            return false;
        }
        rest = &rest[length..];
    }
    rest.is_empty()
}

impl Drop for PollStream {
    fn drop(&mut self) {
        // An operation that is given up keeps the descriptor open until the kernel hears of that, at the
        // next park. The peer should hear of the end now.
        if self.recv.is_some() || self.send.is_some() {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }
}

/// A listener on a ring, as an endless stream of connections.
///
/// When the process runs out of file descriptors, the stream says so once, and then looks every 20 ms
/// whether there is one again, as chapter 7's listener does.
pub struct PollListener {
    listener: TcpListener,
    accept: Option<Op<Accept>>,
    pause: Option<Op<Timeout>>,
    /// Whether the shortage of descriptors was told.
    told: bool,
}

impl PollListener {
    /// Makes a stream of a listener.
    pub fn new(listener: TcpListener) -> PollListener {
        PollListener { listener, accept: None, pause: None, told: false }
    }

    /// Listens on the first of the addresses that can be had.
    ///
    /// # Errors
    /// As [`TcpListener::bind`].
    ///
    /// # Panics
    /// If no ring is driven on this thread.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<PollListener> {
        Ok(PollListener::new(TcpListener::bind(address)?))
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Stream for PollListener {
    type Item = io::Result<PollStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(pause) = &mut this.pause {
                // An error of the timeout is no reason to wait longer.
                let _ = ready!(Pin::new(pause).poll(cx));
                this.pause = None;
            }
            let accept = this.accept.get_or_insert_with(|| this.listener.start_accept());
            let accepted = ready!(Pin::new(accept).poll(cx));
            this.accept = None;
            let error = match accepted {
                Ok((fd, _)) => {
                    this.told = false;
                    let stream = TcpStream::from_fd(fd, &current());
                    return Poll::Ready(Some(Ok(PollStream::new(stream))));
                }
                Err(error) => error,
            };
            match error.raw_os_error().map(Errno::from_raw) {
                // This client has gone again. Others may be waiting behind it.
                Some(Errno::ECONNABORTED) => continue,
                Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) => {
                    this.pause = Some(current().submit(Timeout::after(PAUSE)));
                    if mem::replace(&mut this.told, true) {
                        continue;
                    }
                }
                _ => {}
            }
            return Poll::Ready(Some(Err(error)));
        }
    }
}

impl fmt::Debug for PollStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl fmt::Debug for PollListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollListener").field("listener", &self.listener).finish_non_exhaustive()
    }
}
