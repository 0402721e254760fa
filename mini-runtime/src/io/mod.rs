//! Buffers that can be lent to the kernel, and reading and writing with them.
//!
//! | module | what is in it | its small twin |
//! | --- | --- | --- |
//! | `buf` | [`IoBuf`], [`IoBufMut`], [`Slice`], [`BufResult`] | chapter 13 |
//! | `owned` | [`AsyncReadOwned`], [`AsyncWriteOwned`] | chapter 13 |
//! | `pieces` | several buffers, as the kernel wants to be told of them | |

mod buf;
mod owned;
mod pieces;

pub use buf::{BufResult, IoBuf, IoBufMut, Slice};
pub(crate) use owned::fill_by_reads;
pub use owned::{AsyncReadOwned, AsyncWriteOwned};
pub(crate) use pieces::{Bufs, MAX_PIECES, Piece, as_rooms, as_slices, only};
