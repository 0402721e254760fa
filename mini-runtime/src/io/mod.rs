//! Buffers that can be lent to the kernel, and reading and writing with them.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `buf` | [`IoBuf`], [`IoBufMut`], [`Slice`], [`BufResult`] | chapter 13 |
//! | `owned` | [`AsyncReadOwned`], [`AsyncWriteOwned`] | chapter 13 |

mod buf;
mod owned;
mod vectored;

pub use buf::{BufResult, IoBuf, IoBufMut, Slice};
pub(crate) use owned::fill_by_reads;
pub use owned::{AsyncReadOwned, AsyncWriteOwned};
pub(crate) use vectored::Vectored;
