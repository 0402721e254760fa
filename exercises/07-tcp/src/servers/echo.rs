use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Sends back what a client sends, until the client has said all. Then closes its own side.
///
/// # Errors
/// If the connection breaks.
pub async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    // EXERCISE 07.3: Echo, for the fifth time
    todo!("07.3: send back what the client sends until it has said all, then close");
    // END 07.3
}
