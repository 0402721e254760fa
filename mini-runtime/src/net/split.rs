use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::macros::{reads, writes};
use super::stream::Stream;
use crate::io::{AsyncReadOwned, AsyncWriteOwned, BufResult, IoBuf, IoBufMut};

/// A stream that can be split. No other types can implement it.
pub trait Split: fmt::Debug + sealed::Whole {
    /// Of which kind its addresses are.
    type Address;

    #[doc(hidden)]
    fn local(&self) -> io::Result<Self::Address>;

    #[doc(hidden)]
    fn peer(&self) -> io::Result<Self::Address>;
}

pub(crate) mod sealed {
    pub trait Whole {
        fn stream(&self) -> &super::Stream;
    }
}

/// The half of a stream that reads: by `into_split`.
///
/// It reads in both styles, as the whole does, which [`AsRef`] shows.
///
/// Built in chapter 7, section "Two halves in two tasks".
#[derive(Debug)]
pub struct OwnedReadHalf<S: Split> {
    whole: Rc<S>,
}

/// The half of a stream that writes: by `into_split`.
///
/// It writes in both styles, as the whole does, which [`AsRef`] shows. Dropping it gives up a write that
/// was begun, and closes the writing side: the peer reads the end.
///
/// Built in chapter 7, section "Two halves in two tasks".
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Split> {
    whole: Rc<S>,
    closes: bool,
}

pub(crate) fn split<S: Split>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let whole = Rc::new(stream);
    (OwnedReadHalf { whole: whole.clone() }, OwnedWriteHalf { whole, closes: true })
}

impl<S: Split> OwnedReadHalf<S> {
    /// Makes the whole of its halves.
    ///
    /// # Errors
    /// With both, if they are not of one stream.
    pub fn reunite(self, other: OwnedWriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Rc::ptr_eq(&self.whole, &other.whole) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        Ok(Rc::into_inner(self.whole)
            .expect("the halves have a share each, and nobody else has one"))
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<S::Address> {
        self.whole.local()
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<S::Address> {
        self.whole.peer()
    }

    fn stream(&self) -> &Stream {
        self.whole.stream()
    }
}

reads!([S: Split] OwnedReadHalf<S>);

impl<S: Split> OwnedWriteHalf<S> {
    /// Makes the whole of its halves.
    ///
    /// # Errors
    /// With both, if they are not of one stream.
    pub fn reunite(self, other: OwnedReadHalf<S>) -> Result<S, ReuniteError<S>> {
        other.reunite(self)
    }

    /// Drops this half, and leaves the writing side open. It is closed with the other half.
    pub fn forget(mut self) {
        self.closes = false;
    }

    /// The address of this side.
    ///
    /// # Errors
    /// If the kernel refuses to tell.
    pub fn local_addr(&self) -> io::Result<S::Address> {
        self.whole.local()
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// If the connection is gone.
    pub fn peer_addr(&self) -> io::Result<S::Address> {
        self.whole.peer()
    }

    fn stream(&self) -> &Stream {
        self.whole.stream()
    }
}

writes!([S: Split] OwnedWriteHalf<S>);

impl<S: Split> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        // Without the other half, the whole is closed.
        if self.closes && Rc::strong_count(&self.whole) > 1 {
            // A write that was begun fails by this. A connection that is gone has no side to be closed.
            let _ = self.stream().shutdown(Shutdown::Write);
        }
    }
}

impl<S: Split> AsRef<S> for OwnedReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.whole
    }
}

impl<S: Split> AsRef<S> for OwnedWriteHalf<S> {
    fn as_ref(&self) -> &S {
        &self.whole
    }
}

/// Two halves that are not of one stream. Both are in here.
#[derive(Debug)]
pub struct ReuniteError<S: Split>(pub OwnedReadHalf<S>, pub OwnedWriteHalf<S>);

impl<S: Split> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these are not the halves of one stream")
    }
}

impl<S: Split> Error for ReuniteError<S> {}
