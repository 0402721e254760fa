//! The runs that the book replays: recorded anew, and held against the ones that the book shows.
//!
//! A chapter's `tests/replays.rs` names them. A [`demo()`] is run as a reader runs it, failing and
//! mended. A [`Scenario`] is a piece of code of the test itself, for what a demo leaves to chance: who
//! of two threads comes first.
//!
//! With `RECORD=1` in the environment nothing is compared, and the files are written: `make record`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use trace::{Cast, End, Event, Record, Recording, Replay, emit, read_copy};

use crate::demo::{self, HUNG, Outcome, Version};
use crate::{DEADLINE, watch};

/// The environment variable with which the files are written.
const WRITE: &str = "RECORD";

/// The environment variable that has a demo copy its recording to standard output.
const COPY: &str = "COPY_TRACE";

/// How long nothing happens in a scenario that hangs, before its file is written or compared.
const PATIENCE: Duration = Duration::from_millis(500);

/// For [`Replay::skip`]: where wakers as such are not what a page is about, their count is enough.
pub const WAKERS_COME_AND_GO: &[&str] = &["waker_clone", "waker_drop"];

/// What the book says of a run that it replays.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What the failing run is called.
    pub failing: &'static str,
    /// What the mended run is called.
    pub mended: &'static str,
    /// Who takes part.
    pub cast: Cast,
    /// Kinds of events without a step of their own: see [`Replay::skip`].
    pub skip: &'static [&'static str],
}

impl Program {
    /// A program whose runs are called `failing` and `mended`.
    pub const NAMELESS: Program =
        Program { failing: "failing", mended: "mended", cast: Cast::NAMELESS, skip: &[] };
}

/// Runs the chapter's example `name`, failing and mended, and compares both runs with
/// `traces/NAME-failing.html` and `traces/NAME-mended.html` in the chapter's part of the book.
///
/// # Panics
/// If a run differs from its file: with the first line that does, and what to do about it.
pub fn demo(name: &str, program: Program) {
    for version in [Version::Failing, Version::Mended] {
        let outcome = demo::finish_within_deadline(demo::command(name, version).env(COPY, "1"));
        let records = read_copy(&outcome.stdout).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        let crate_name = env::var("CARGO_PKG_NAME").unwrap_or_default();
        let command = format!("cargo run -p {crate_name} --example {name}");
        let (title, argument) = match version {
            Version::Failing => (program.failing, ""),
            Version::Mended => (program.mended, " -- mended"),
        };
        let replay = Replay {
            title,
            command: Some(&(command + argument)),
            cast: program.cast,
            skip: program.skip,
            records: &records,
            end: end(&outcome),
        };
        let suffix = if version == Version::Failing { "failing" } else { "mended" };
        compare(&format!("{name}-{suffix}"), &replay);
    }
}

/// Has the current thread's recording copied to standard output, if a [`demo()`] asks for it. Called by
/// [`demo::run`].
pub(crate) fn copy_if_asked(recording: &Recording) {
    if env::var_os(COPY).is_some() {
        recording.attach_everybody();
        recording.copy_to(io::stdout());
    }
}

fn end(outcome: &Outcome) -> End {
    let said = outcome.stderr.lines().next().unwrap_or_default();
    match (outcome.status, outcome.signal) {
        (Some(0), _) => End::Done,
        (Some(HUNG), _) => End::Hung,
        (_, Some(signal)) => End::Failed(format!("Signal {signal} ends it: {said}")),
        // The panic's first line names its place, the second says what is wrong.
        (Some(101), _) => End::Failed(
            outcome
                .stderr
                .lines()
                .skip_while(|line| !line.contains("panicked at"))
                .nth(1)
                .unwrap_or(said)
                .into(),
        ),
        _ => End::Error(said.into()),
    }
}

/// A run that a test makes itself, and what the book says of it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name of the file, without its ending.
    pub name: &'static str,
    /// What the run is called.
    pub title: &'static str,
    /// Who takes part.
    pub cast: Cast,
    /// Kinds of events without a step of their own: see [`Replay::skip`].
    pub skip: &'static [&'static str],
}

impl Scenario {
    /// Runs `body` to its end, and compares the run with its file.
    ///
    /// # Panics
    /// As [`demo()`] does, and if `body` panics or hangs.
    pub fn ends(self, body: impl FnOnce(&Others) + Send + 'static) {
        let records = watch(|| {
            let recording = Recording::current().expect("`watch` records");
            body(&Others::of(&recording));
            recording.records()
        });
        self.compare(&records, End::Done);
    }

    /// Runs `body` until it hangs, and compares the run with its file. The thread is left behind,
    /// because a thread cannot be killed.
    ///
    /// # Panics
    /// As [`demo()`] does, and if `body` comes to an end.
    pub fn hangs(self, body: impl FnOnce(&Others) + Send + 'static) {
        let recording = Recording::new();
        let others = Others::of(&recording);
        let hanging = thread::spawn({
            let others = others.clone();
            move || {
                let _attached = others.recording.attach();
                body(&others);
            }
        });
        let mut seen = 0;
        while recording.wait_until(PATIENCE, |records| records.len() > seen)
            || !is_asleep(&recording.records())
            || !others.are_done()
        {
            seen = recording.records().len();
            assert!(!hanging.is_finished(), "{} was to hang, and has ended", self.name);
            let limit = 2 * DEADLINE;
            assert!(recording.elapsed() < limit, "{} does not sleep after {limit:?}", self.name);
        }
        assert!(!hanging.is_finished(), "{} was to hang, and has ended", self.name);
        self.compare(&recording.records(), End::Hung);
    }

    fn compare(&self, records: &[Record], end: End) {
        let Scenario { name, title, cast, skip } = *self;
        compare(name, &Replay { title, command: None, cast, skip, records, end });
    }
}

/// The other threads of a [`Scenario`].
#[derive(Clone)]
pub struct Others {
    recording: Recording,
    running: Arc<AtomicUsize>,
}

impl Others {
    fn of(recording: &Recording) -> Others {
        Others { recording: recording.clone(), running: Arc::default() }
    }

    /// Runs `body` on another thread, as soon as the scenario's own thread sleeps.
    pub fn when_asleep(&self, body: impl FnOnce() + Send + 'static) {
        let running = self.running.clone();
        running.fetch_add(1, Ordering::Relaxed);
        spawn_when_asleep(&self.recording, move || {
            body();
            running.fetch_sub(1, Ordering::Relaxed);
        });
    }

    fn are_done(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }
}

/// Runs `body` on another thread, as soon as the first one sleeps. If that never happens, `body` does not
/// run.
pub(crate) fn spawn_when_asleep(recording: &Recording, body: impl FnOnce() + Send + 'static) {
    let recording = recording.clone();
    thread::spawn(move || {
        if recording.wait_until(DEADLINE, is_asleep) {
            let _attached = recording.attach();
            body();
        }
    });
}

/// Whether the first thread has gone to sleep, and not awoken. To look without sleeping is no sleep.
fn is_asleep(records: &[Record]) -> bool {
    let last = records.iter().rev().find(|record| record.thread == 0);
    last.is_some_and(
        |record| matches!(record.event, Event::Park { timeout } if timeout != Some(Duration::ZERO)),
    )
}

/// Adds a line to the recording, as if the program had printed it.
pub fn say(text: impl Into<String>) {
    emit!(Event::Note { text: text.into() });
}

/// Holds a run against the file that the book includes, or writes the file.
fn compare(name: &str, replay: &Replay<'_>) {
    if !trace::ENABLED {
        eprintln!("{name}: a release build records nothing, so nothing is compared.");
        return;
    }
    let chapter = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this test"));
    let root = chapter.join("../..");
    let folder = chapter.file_name().expect("a chapter has a folder");
    let shown = Path::new("book/src").join(folder).join("traces").join(name).with_extension("html");
    let file = root.join(&shown);
    let recorded = replay.to_html(|path| fs::read_to_string(root.join(path)).ok());

    if env::var_os(WRITE).is_some() {
        fs::create_dir_all(file.parent().expect("it was joined to a folder"))
            .and_then(|()| fs::write(&file, &recorded))
            .unwrap_or_else(|error| panic!("{}: {error}", shown.display()));
        return;
    }
    // What is no UTF-8 is a difference, like any other.
    let committed = fs::read(&file).unwrap_or_default();
    let committed = String::from_utf8_lossy(&committed);
    if let Some(difference) = difference(&committed, &recorded) {
        panic!(
            "{} is not what the code does now. {difference}\nIf the code is right, run `make record`, \
             which writes the file anew.",
            shown.display()
        );
    }
}

/// The first line in which the texts differ.
fn difference(committed: &str, recorded: &str) -> Option<String> {
    if committed == recorded {
        return None;
    }
    if committed.is_empty() {
        return Some("It is empty, or not there.".into());
    }
    let (mut committed, mut recorded) = (committed.lines(), recorded.lines());
    for number in 1.. {
        match (committed.next(), recorded.next()) {
            (None, None) => break,
            (was, is) if was == is => {}
            (was, is) => {
                let [was, is] = [was, is].map(|line| line.unwrap_or("(the end)"));
                return Some(format!("Line {number} is\n  {was}\nand would be\n  {is}"));
            }
        }
    }
    Some("The lines are the same, but not how they end.".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let told = difference("a\nb\nc\n", "a\nB\nC\n").unwrap();
        assert_eq!(told, "Line 2 is\n  b\nand would be\n  B");
        let shorter = difference("a\n", "a\nb\n").unwrap();
        assert_eq!(shorter, "Line 2 is\n  (the end)\nand would be\n  b");
        assert!(difference("", "a\n").unwrap().contains("not there"));
        assert!(difference("a", "a\n").unwrap().contains("how they end"));
    }
}
