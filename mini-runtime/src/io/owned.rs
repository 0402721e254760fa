use std::io;

use super::{BufResult, IoBuf, IoBufMut};

/// Reads bytes into a buffer that is given away for that, and comes back with the result.
///
/// Built in chapter 13, section "Traits for owned buffers".
pub trait AsyncReadOwned {
    /// Reads what is there, up to the room of the buffer, from its beginning. No bytes are the end.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// None: bytes that were read when the future is dropped are lost, and so is the buffer.
    fn read<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<usize, B>>;

    /// Reads into several buffers, one behind the other.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// As `read`.
    fn read_vectored<B: IoBufMut>(
        &self,
        bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>>;

    /// Fills all the room of the buffer.
    ///
    /// # Errors
    /// As `read`, and `UnexpectedEof` if the end comes before. The buffer has what was read until then.
    ///
    /// # Cancel safety
    /// As `read`.
    fn read_exact<B: IoBufMut>(&self, buf: B) -> impl Future<Output = BufResult<(), B>> {
        fill_by_reads(self, buf)
    }
}

/// Writes bytes from a buffer that is given away for that, and comes back with the result.
///
/// Built in chapter 13, section "Traits for owned buffers".
pub trait AsyncWriteOwned {
    /// Writes what can be written.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// None: it is not known how many bytes were written when the future is dropped.
    fn write<B: IoBuf>(&self, buf: B) -> impl Future<Output = BufResult<usize, B>>;

    /// Writes several buffers, one behind the other.
    ///
    /// # Errors
    /// As the system call.
    ///
    /// # Cancel safety
    /// As `write`.
    fn write_vectored<B: IoBuf>(
        &self,
        bufs: Vec<B>,
    ) -> impl Future<Output = BufResult<usize, Vec<B>>>;

    /// Writes the whole buffer.
    ///
    /// # Errors
    /// As `write`, and `WriteZero` if nothing more can be written.
    ///
    /// # Cancel safety
    /// As `write`.
    fn write_all<B: IoBuf>(&self, mut buf: B) -> impl Future<Output = BufResult<(), B>> {
        async move {
            let length = buf.bytes_init();
            let mut written = 0;
            while written < length {
                let (result, slice) = self.write(buf.slice(written..length)).await;
                buf = slice.into_inner();
                match result {
                    Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buf),
                    Ok(more) => written += more,
                    Err(error) => return (Err(error), buf),
                }
            }
            (Ok(()), buf)
        }
    }
}

/// Reads until the room of the buffer is full.
pub(crate) async fn fill_by_reads<S, B>(stream: &S, mut buf: B) -> BufResult<(), B>
where
    S: AsyncReadOwned + ?Sized,
    B: IoBufMut,
{
    let room = buf.bytes_total();
    let mut filled = 0;
    while filled < room {
        let (result, slice) = stream.read(buf.slice(filled..room)).await;
        buf = slice.into_inner();
        match result {
            Ok(0) => return (Err(io::ErrorKind::UnexpectedEof.into()), buf),
            Ok(length) => filled += length,
            Err(error) => return (Err(error), buf),
        }
    }
    (Ok(()), buf)
}
