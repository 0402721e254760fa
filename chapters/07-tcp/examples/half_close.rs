//! A client asks a question, says that it has said all, and waits for the answer. The server reads to
//! the end of the question before it answers.
//!
//! Predict: how does the client say "that was all"? Dropping the stream, or shutting it down, says
//! so. What else does it say?
//!
//! Run `cargo run -p ch07-tcp --example half_close`, and then with `-- mended`.

use std::error::Error;
use std::io;
use std::net::Shutdown;
use std::process::ExitCode;

use ch05_executor::spawn;
use ch07_tcp::{Runtime, TcpListener, TcpStream};
use conformance::demo::{self, Version};
use futures::{AsyncReadExt, AsyncWriteExt};

fn main() -> ExitCode {
    demo::run(|version| Runtime::new()?.block_on(converse(version)))
}

/// Answers in capitals, once the question has been read to its end.
async fn serve(listener: TcpListener) -> io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let mut question = String::new();
    stream.read_to_string(&mut question).await?;
    stream.write_all(question.to_uppercase().as_bytes()).await?;
    stream.close().await
}

// ANCHOR: converse
async fn converse(version: Version) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut stream = TcpStream::connect(listener.local_addr()?).await?;
    spawn(async {
        if let Err(error) = serve(listener).await {
            println!("The server could not answer: {error}");
        }
    });

    // ANCHOR: difference
    stream.write_all(b"is anybody there?").await?;
    match version {
        // Both directions: nothing more will be said, and nothing will be heard.
        Version::Failing => stream.shutdown(Shutdown::Both)?,
        // The write side alone: this is what `poll_close` does.
        Version::Mended => stream.close().await?,
    }
    // ANCHOR_END: difference

    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("The answer: {answer:?}");
    if answer.is_empty() {
        return Err("The client had closed its ears together with its mouth.".into());
    }
    Ok(())
}
// ANCHOR_END: converse
