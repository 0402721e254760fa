//! `AsyncRead` and `AsyncWrite` lend a buffer for the length of one poll. The kernel wants one for the
//! length of an operation. So on a ring, a stream that is used in this way has two buffers of its own.
//!
//! Built in chapter 14, section "The adapter".

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::{mem, ptr};

use super::socket::Socket;
use crate::context;
use crate::driver::op::Op;
use crate::driver::ops;
use crate::io::IoBufMut;

/// How many bytes one operation carries at most.
const BUFFER: usize = 16 * 1024;

/// What was read, and what is being read.
#[derive(Default)]
pub(crate) struct Reading {
    /// What was received. The bytes from `next` on were not fetched yet.
    received: Vec<u8>,
    next: usize,
    recv: Option<Op<ops::Recv<Vec<u8>>>>,
}

/// What is being written.
#[derive(Default)]
pub(crate) struct Writing {
    /// What is sent, while the kernel does not have it.
    sending: Vec<u8>,
    send: Option<Op<ops::Send<Vec<u8>>>>,
}

impl Reading {
    /// Whether bytes were received that nobody has fetched, or are on their way.
    pub(crate) fn has_more(&self) -> bool {
        self.next < self.received.len() || self.recv.is_some()
    }

    pub(crate) fn poll_read(
        &mut self,
        socket: &Rc<Socket>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.next == self.received.len() && !buffer.is_empty() {
            self.recv.get_or_insert_with(|| {
                let mut buf = mem::take(&mut self.received);
                self.next = 0;
                buf.clear();
                buf.reserve_exact(BUFFER);
                Op::new(ops::Recv { socket: socket.clone(), buf })
            });
        }
        // Who has to wait pays nothing: a task that waits for many would never come to rest.
        if self.next < self.received.len() {
            ready!(context::poll_allowance(cx));
        }
        let length = ready!(self.poll_peek(cx, buffer))?;
        self.next += length;
        Poll::Ready(Ok(length))
    }

    /// What a read would bring that was begun already.
    pub(crate) fn poll_peek(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.next == self.received.len() && !buffer.is_empty() {
            ready!(self.poll_received(cx))?;
        }
        let here = &self.received[self.next..];
        let length = here.len().min(buffer.len());
        buffer[..length].copy_from_slice(&here[..length]);
        Poll::Ready(Ok(length))
    }

    /// Whether a read is on its way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.recv.as_ref().is_some_and(|recv| !recv.has_landed())
    }

    /// Moves what was received, as far as there is room.
    pub(crate) fn fetch<B: IoBufMut>(&mut self, buf: &mut B) -> usize {
        let here = &self.received[self.next..];
        let length = here.len().min(buf.bytes_total());
        // SAFETY: there is room for that many bytes, and it is not in the vector.
        unsafe {
            ptr::copy_nonoverlapping(here.as_ptr(), buf.as_mut_ptr(), length);
            buf.set_init(length);
        }
        self.next += length;
        length
    }

    /// Waits until no read is on its way.
    pub(crate) fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(recv) = &mut self.recv else { return Poll::Ready(Ok(())) };
        let (result, received) = ready!(Pin::new(recv).poll(cx));
        self.recv = None;
        self.received = received;
        Poll::Ready(result.map(drop))
    }
}

impl Writing {
    pub(crate) fn poll_write(
        &mut self,
        socket: &Rc<Socket>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            // A write is ready when its bytes are in the socket, and not before.
            if let Some(sent) = ready!(self.poll_sent(cx))?
                && begins_with(slices, &self.sending[..sent])
            {
                return Poll::Ready(Ok(sent));
            }
            let mut buf = mem::take(&mut self.sending);
            buf.clear();
            for slice in slices {
                let room = BUFFER - buf.len();
                buf.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            if buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let send = ops::Send { socket: socket.clone(), buf };
            self.send = Some(Op::new(send));
        }
    }

    /// Waits until no write is on its way. Returns how many bytes the last one has sent, if there was one:
    /// they are at the beginning of `sending`.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        let Some(send) = &mut self.send else { return Poll::Ready(Ok(None)) };
        let (result, sending) = ready!(Pin::new(send).poll(cx));
        self.send = None;
        self.sending = sending;
        Poll::Ready(result.map(Some))
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
