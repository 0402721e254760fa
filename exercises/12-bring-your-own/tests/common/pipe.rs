//! A connection in memory, for what sockets do not do on demand, and for virtual clocks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

/// One direction.
#[derive(Default)]
struct Direction {
    bytes: RefCell<VecDeque<u8>>,
    /// Nothing more is written.
    ended: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl Direction {
    fn wake_reader(&self) {
        let reader = self.reader.take();
        reader.into_iter().for_each(Waker::wake);
    }

    fn end(&self) {
        self.ended.set(true);
        self.wake_reader();
    }
}

/// One end of the connection. Dropping it ends both directions.
pub struct End {
    incoming: Rc<Direction>,
    outgoing: Rc<Direction>,
    /// How much comes at once, at most.
    longest: usize,
}

/// Two ends. A read at either of them brings `longest` bytes at most.
pub fn pipe(longest: usize) -> (End, End) {
    let (there, back) = (Rc::<Direction>::default(), Rc::<Direction>::default());
    let one = End { incoming: back.clone(), outgoing: there.clone(), longest };
    (one, End { incoming: there, outgoing: back, longest })
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut bytes = self.incoming.bytes.borrow_mut();
        if bytes.is_empty() && !self.incoming.ended.get() {
            *self.incoming.reader.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = self.longest.min(buffer.len()).min(bytes.len());
        for (place, byte) in buffer.iter_mut().zip(bytes.drain(..length)) {
            *place = byte;
        }
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.outgoing.ended.get() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.outgoing.bytes.borrow_mut().extend(bytes);
        self.outgoing.wake_reader();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.incoming.end();
        self.outgoing.end();
    }
}
