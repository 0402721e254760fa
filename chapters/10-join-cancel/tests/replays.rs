//! The runs that this chapter's pages replay, recorded anew and compared.

use std::io;
use std::net;
use std::time::Duration;

use ch07_tcp::TcpStream;
use ch08_timers::{Clock, interval, sleep};
use ch09_fairness::{Config, Runtime};
use ch10_join_cancel::{AbortOnDrop, Lines, spawn};
use conformance::demo::Version;
use conformance::replay::{self, Program, Scenario, WAKERS_COME_AND_GO, say};
use futures::future::{Either, select};
use futures::{AsyncReadExt, AsyncWriteExt};
use trace::Cast;

#[test]
fn a_handle_that_is_dropped() {
    replay::demo(
        "dropped_handle",
        Program {
            failing: "The handle detaches",
            mended: "The handle aborts",
            cast: Cast {
                tasks: &[(0, "the guest"), (1, "the barista")],
                timers: &[
                    (1, "the guest's second"),
                    (2, "the coffee's two seconds"),
                    (3, "the end of the day"),
                ],
                ..Cast::NAMELESS
            },
            skip: WAKERS_COME_AND_GO,
        },
    );
}

#[test]
fn a_lock_and_two_futures() {
    replay::demo(
        "futurelock",
        Program {
            failing: "Awaits the second alone",
            mended: "Polls both",
            cast: Cast {
                timers: &[(1, "the deadline of 5 ms"), (2, "the deadline of 20 ms")],
                ..Cast::NAMELESS
            },
            skip: WAKERS_COME_AND_GO,
        },
    );
}

async fn friend(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"no").await?;
    sleep(Duration::from_millis(1500)).await;
    stream.write_all(b"on\n").await
}

async fn read_line(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    Ok(line)
}

/// What the example `select_loses_lines` does, with a shorter line.
async fn chat(version: Version) -> io::Result<()> {
    let listener = net::TcpListener::bind("127.0.0.1:0")?;
    let far = net::TcpStream::connect(listener.local_addr()?)?;
    let mut stream = TcpStream::from_std(listener.accept()?.0)?;
    let _friend = AbortOnDrop(spawn(friend(TcpStream::from_std(far)?)));
    let mut clock = interval(Duration::from_secs(1));
    clock.tick().await;
    let tick = || say("Tick. The future that reads a line is dropped.");
    let line = match version {
        Version::Failing => loop {
            match select(Box::pin(read_line(&mut stream)), Box::pin(clock.tick())).await {
                Either::Left((line, _)) => break line?,
                Either::Right(_) => tick(),
            }
        },
        Version::Mended => {
            let mut lines = Lines::new(stream);
            loop {
                match select(Box::pin(lines.next()), Box::pin(clock.tick())).await {
                    Either::Left((line, _)) => break line?.unwrap_or_default(),
                    Either::Right(_) => tick(),
                }
            }
        }
    };
    say(format!("My friend says: {:?}", String::from_utf8_lossy(&line)));
    Ok(())
}

#[test]
fn half_a_line() {
    let failing = Scenario {
        name: "select_loses_lines-failing",
        title: "The future has the half line",
        cast: Cast {
            tasks: &[(1, "the friend")],
            fds: &[(1, "our end"), (2, "the friend's end")],
            timers: &[(2, "the tick"), (3, "the friend's pause"), (4, "the next tick")],
            ..Cast::NAMELESS
        },
        skip: &["waker_clone", "waker_drop", "interest", "slot_clear", "timer_waker"],
    };
    let run = |version| {
        let runtime = Runtime::with_clock(Config::default(), Clock::virtual_now());
        runtime.expect("descriptors are left").block_on(chat(version)).expect("loopback works");
    };
    failing.ends(move |_| run(Version::Failing));
    let mended =
        Scenario { name: "select_loses_lines-mended", title: "Lines has the half line", ..failing };
    mended.ends(move |_| run(Version::Mended));
}
