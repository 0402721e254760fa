//! A thousand bytes through a pipe, and the reader waits for each. To be counted under strace:
//!
//! ```text
//! cargo build -q -p ch06-reactor --example thousand_reads
//! strace -f -c -e trace=desc target/debug/examples/thousand_reads
//! ```

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::task::Poll;

use ch05_executor::{Executor, spawn};
use ch06_reactor::{Direction, Reactor};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};

const BYTES: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let (reader, writer) = io::pipe()?;
    let reactor = Rc::new(Reactor::new()?);
    let reader = Rc::new(reader);
    reactor.add(reader.clone())?;

    Executor::new(reactor.clone()).block_on(async {
        let (hungry, is_hungry) = mpsc::unbounded();
        let (done, all_read) = oneshot::channel();
        spawn(async move {
            // The main future listens until it hears of this.
            let _ = done.send(read_all(reactor, reader, hungry).await);
        });
        spawn(feed(writer, is_hungry));
        all_read.await.map_err(io::Error::other)?
    })?;
    Ok(())
}

/// Asks for a byte, finds that there is none yet, and waits for it. A thousand times.
async fn read_all(
    reactor: Rc<Reactor>,
    reader: Rc<PipeReader>,
    hungry: mpsc::UnboundedSender<()>,
) -> io::Result<()> {
    let fd = reader.as_raw_fd();
    for _ in 0..BYTES {
        hungry.unbounded_send(()).map_err(io::Error::other)?;
        poll_fn(|cx| match (&*reader).read_exact(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                reactor.arm(fd, Direction::Read, cx)?;
                Poll::Pending
            }
            result => Poll::Ready(result),
        })
        .await?;
    }
    reactor.delete(fd)
}

/// Writes a byte whenever the reader is hungry. If it cannot, the reader sees the end of the pipe.
async fn feed(mut writer: PipeWriter, mut is_hungry: mpsc::UnboundedReceiver<()>) {
    while is_hungry.next().await.is_some() {
        if writer.write_all(b"x").is_err() {
            return;
        }
    }
}
