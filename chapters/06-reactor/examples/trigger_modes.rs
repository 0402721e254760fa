//! One pipe, three ways to ask for reports: level, edge, oneshot.
//!
//! First we count. Four bytes lie in the pipe, and we look a thousand times. Predict, for each mode:
//! how many reports if we never read? How many if we read two of the four? Then we have a reader:
//! it reads two bytes for each report. Predict: on which bytes does it sleep?
//!
//! ```text
//! cargo run -p ch06-reactor --example trigger_modes
//! cargo run -p ch06-reactor --example trigger_modes -- mended
//! ```

use std::error::Error;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::time::Duration;

use conformance::demo::{self, Version};
use polling::{Event, Events, PollMode, Poller};
use trace::emit;

const KEY: usize = 1;
const LOOKS: usize = 1000;
const MESSAGE: &[u8] = b"ping";

fn main() -> ExitCode {
    demo::run(|version| {
        compare()?;
        read_message(version)
    })
}

/// Reports in a thousand looks, in each mode.
fn compare() -> Result<(), Box<dyn Error>> {
    println!("Reports in {LOOKS} looks at a pipe:      level  edge  oneshot");
    let modes = [PollMode::Level, PollMode::Edge, PollMode::Oneshot];
    let mut counts = [[0; 3]; 4];
    for (column, mode) in modes.into_iter().enumerate() {
        let (mut reader, mut writer) = io::pipe()?;
        let poller = Poller::new()?;
        register(&poller, &reader, mode)?;

        writer.write_all(MESSAGE)?;
        counts[0][column] = look(&poller)?;
        reader.read_exact(&mut [0; 2])?;
        counts[1][column] = look(&poller)?;
        writer.write_all(b"!")?;
        counts[2][column] = look(&poller)?;
        poller.modify_with_mode(&reader, Event::readable(KEY), mode)?;
        counts[3][column] = look(&poller)?;
        poller.delete(&reader)?;
    }
    let steps = ["four bytes are written", "two are read", "one more is written", "we ask again"];
    for (step, [level, edge, oneshot]) in steps.into_iter().zip(counts) {
        println!("  {step:<30} {level:9}  {edge:4}  {oneshot:7}");
    }
    Ok(())
}

/// How many reports come in so many looks, none of which waits.
fn look(poller: &Poller) -> io::Result<usize> {
    let mut reports = 0;
    let mut events = Events::new();
    for _ in 0..LOOKS {
        events.clear();
        reports += poller.wait(&mut events, Some(Duration::ZERO))?;
    }
    Ok(reports)
}

// ANCHOR: reader
/// Reads a message, two bytes for each report.
fn read_message(version: Version) -> Result<(), Box<dyn Error>> {
    let (mut reader, mut writer) = io::pipe()?;
    let poller = Poller::new()?;
    let mode = match version {
        Version::Failing => PollMode::Edge,
        Version::Mended => PollMode::Oneshot,
    };
    register(&poller, &reader, mode)?;
    writer.write_all(MESSAGE)?;
    println!("writer: four bytes are in the pipe.");

    let mut message = [0; MESSAGE.len()];
    for half in message.chunks_mut(2) {
        println!("reader: I sleep until there is a report.");
        wait(&poller)?;
        reader.read_exact(half)?;
        println!("reader: a report. I read {:?}.", String::from_utf8_lossy(half));
        match version {
            // The kernel reports when something arrives. What was left over does not arrive.
            Version::Failing => {}
            // Asked again, the kernel looks again.
            Version::Mended => poller.modify(&reader, Event::readable(KEY))?,
        }
    }
    poller.delete(&reader)?;
    println!("reader: the message is {:?}.", String::from_utf8_lossy(&message));
    Ok(())
}
// ANCHOR_END: reader

fn register(poller: &Poller, reader: &PipeReader, mode: PollMode) -> io::Result<()> {
    emit!(trace::Event::FdAdd { fd: reader.as_raw_fd() });
    // SAFETY: the descriptor has to be deleted before it is closed. Both callers do so, unless they
    // fail: then nobody waits on this poller any more.
    unsafe { poller.add_with_mode(reader, Event::readable(KEY), mode) }
}

/// Sleeps until there is a report.
fn wait(poller: &Poller) -> io::Result<()> {
    emit!(trace::Event::Park { timeout: None });
    poller.wait(&mut Events::new(), None)?;
    emit!(trace::Event::Unpark);
    Ok(())
}
