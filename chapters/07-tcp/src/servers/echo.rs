use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

// ANCHOR: echo
/// Sends back what a client sends, until the client has said all. Then closes its own side.
///
/// # Errors
/// If the connection breaks.
pub async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    // ANCHOR: echo_body
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return stream.close().await;
        }
        stream.write_all(&buffer[..length]).await?;
    }
    // ANCHOR_END: echo_body
}
// ANCHOR_END: echo
