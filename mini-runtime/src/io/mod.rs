//! Buffers that can be lent to the kernel, and reading and writing with them.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `buf` | [`IoBuf`], [`IoBufMut`], [`Slice`], [`BufResult`] | chapter 13 |
//! | `owned` | [`AsyncReadOwned`], [`AsyncWriteOwned`], and what can be built on them | chapter 13 |

mod buf;
mod owned;
mod vectored;

pub use buf::{BufResult, IoBuf, IoBufMut, Slice};
pub use owned::{AsyncReadOwned, AsyncReadOwnedExt, AsyncWriteOwned, AsyncWriteOwnedExt};
pub(crate) use vectored::Vectored;
