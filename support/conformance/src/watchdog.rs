use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, Builder};
use std::time::Duration;

use trace::Recording;

/// How long [`watch`] waits. A healthy test needs milliseconds; this leaves room for a machine that
/// is busy with something else.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The environment variable that sets another deadline for [`watch`], in milliseconds.
const DEADLINE_VARIABLE: &str = "TEST_DEADLINE_MS";

/// The environment variable that names a file for a copy of the recording.
const COPY_VARIABLE: &str = "TRACE_FILE";

/// How many records are copied at most: a body that goes round and round would fill the disk.
const COPY_LIMIT: usize = 100_000;

/// Runs a test body on a thread of its own, recorded, and returns what it returns.
///
/// # Panics
/// With the body's panic, if it panics. If it still runs after [`DEADLINE`], with what the trace
/// knows: which task is pending, since when, whether its waker was kept, and what the reactor waits
/// for. The body's thread is left behind then, because a thread cannot be killed.
///
/// The environment variable `TEST_DEADLINE_MS` sets another deadline. `TRACE_FILE` names a file into which
/// the recording is copied as it grows ([`trace::read_copy`] reads it); when several bodies are watched,
/// the last one's is there.
pub fn watch<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let set = env::var(DEADLINE_VARIABLE).ok().and_then(|text| text.parse().ok());
    watch_for(set.map_or(DEADLINE, Duration::from_millis), body)
}

fn watch_for<T: Send + 'static>(
    deadline: Duration,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let recording = Recording::new();
    if let Some(path) = env::var_os(COPY_VARIABLE) {
        match File::create(&path) {
            Ok(file) => recording.copy_to(First { file, left: COPY_LIMIT }),
            Err(error) => eprintln!("{}: {error}", path.display()),
        }
    }
    let (done, is_done) = channel();
    let name = thread::current().name().unwrap_or("test").to_string();
    let body_thread = Builder::new()
        .name(name)
        .spawn({
            let recording = recording.clone();
            move || {
                let _attached = recording.attach();
                let value = body();
                let _ = done.send(());
                value
            }
        })
        .expect("the system has room for one more thread");

    if let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(deadline) {
        let hang = trace::explain(&recording.records(), recording.elapsed());
        panic!("still running after {deadline:?}\n{hang}");
    }
    body_thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// A file that takes so many writes, and ignores all others.
struct First {
    file: File,
    left: usize,
}

impl Write for First {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left > 0 {
            self.left -= 1;
            self.file.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What a body says when it panics.
///
/// # Panics
/// If it does not panic, or says nothing.
pub fn panic_text(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it should have panicked");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast::<&str>().expect("a panic with a text").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace::{Event, PollResult, emit};

    #[test]
    fn a_body_that_ends_gives_its_value() {
        assert_eq!(watch(|| 7), 7);
    }

    #[test]
    fn a_body_that_panics_gives_its_panic() {
        assert_eq!(panic_text(|| watch(|| panic!("as it should"))), "as it should");
    }

    #[test]
    fn a_body_that_hangs_is_explained() {
        let (_keep_it_hanging, forever) = channel::<()>();
        let text = panic_text(|| {
            watch_for(Duration::from_millis(50), move || {
                emit!(Event::Spawn { task: 1 });
                emit!(Event::PollStart { task: 1 });
                emit!(Event::PollEnd { task: 1, result: PollResult::Pending, wakers: 0 });
                emit!(Event::Park { timeout: None });
                let _ = forever.recv();
            })
        });
        assert!(text.contains("Task 1 has been pending for"), "{text}");
        assert!(text.contains("Nobody holds its waker, so nothing can wake it."), "{text}");
        assert!(text.contains("The thread has been parked for"), "{text}");
    }
}
