//! A chat: lines come in from a friend, and a clock ticks once in a second. `select` waits for
//! whichever comes first. The friend types slowly: the line comes in two halves, and the clock ticks in
//! between.
//!
//! Predict: which line is printed?
//!
//! Run `cargo run -p ch10-join-cancel --example select_loses_lines`, and then with `-- mended`. (The
//! clock is a virtual one, so that nobody has to wait.)

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ch07_tcp::{TcpListener, TcpStream};
use ch08_timers::{Clock, interval, sleep};
use ch09_fairness::{Config, Runtime};
use ch10_join_cancel::{AbortOnDrop, Lines, spawn};
use conformance::demo::{self, Version};
use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt};

const LINE: &str = "meet me at the station";

fn main() -> ExitCode {
    demo::run(|version| {
        let runtime = Runtime::with_clock(Config::default(), Clock::virtual_now())?;
        runtime.block_on(chat(version))
    })
}

async fn friend(mut stream: TcpStream) -> io::Result<()> {
    let (half, rest) = LINE.split_at(11);
    stream.write_all(half.as_bytes()).await?;
    sleep(Duration::from_millis(1500)).await;
    stream.write_all(rest.as_bytes()).await?;
    stream.write_all(b"\n").await
}

// ANCHOR: read_line
/// Reads a line. What has come of it is kept in `line`, and that is part of this future.
async fn read_line(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(line)
}
// ANCHOR_END: read_line

async fn chat(version: Version) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _friend = AbortOnDrop(spawn(friend(TcpStream::connect(listener.local_addr()?).await?)));
    let (mut stream, _) = listener.accept().await?;
    let mut clock = interval(Duration::from_secs(1));
    clock.tick().await;

    // ANCHOR: chat
    let line = match version {
        Version::Failing => loop {
            match select(Box::pin(read_line(&mut stream)), Box::pin(clock.tick())).await {
                Either::Left((line, _)) => break line?,
                Either::Right(_) => println!("Tick. The future that reads a line is dropped."),
            }
        },
        Version::Mended => {
            let mut lines = Lines::new(stream);
            loop {
                match select(Box::pin(lines.next()), Box::pin(clock.tick())).await {
                    Either::Left((line, _)) => break line?.unwrap_or_default(),
                    Either::Right(_) => println!("Tick. The future that reads a line is dropped."),
                }
            }
        }
    };
    // ANCHOR_END: chat

    let line = String::from_utf8(line)?;
    println!("My friend says: {line:?}");
    if line != LINE {
        return Err("The first half of the line was in the future that was dropped.".into());
    }
    Ok(())
}
