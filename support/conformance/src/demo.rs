//! Failing demos: small programs that show a fault, each with its mended version behind the
//! argument `mended`.
//!
//! A demo's `main` calls [`run`]; a chapter's `tests/demos.rs` calls [`start`] and asserts how the
//! demo failed.

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{self, Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use trace::Recording;

use crate::{DEADLINE, replay};

/// The exit status of a demo that hung, and was ended with an explanation.
pub const HUNG: i32 = 3;

/// How long nothing may happen in a demo before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Which version of a demo the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one with the fault: no argument.
    Failing,
    /// The one without: the argument `mended`.
    Mended,
}

/// The body of a demo's `main`: reads the arguments, runs `body` on this thread, recorded, and
/// ends the process with status [`HUNG`] and an explanation on standard error if nothing happens in
/// the failing version for [`PATIENCE`], or if either version still runs after [`DEADLINE`].
///
/// An error that `body` returns is printed, and gives status 1; a panic gives 101, as usual.
pub fn run(body: impl FnOnce(Version) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let version = match env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => Version::Failing,
        [word] if word == "mended" => Version::Mended,
        _ => {
            eprintln!("This demo takes one argument at most: the word `mended`.");
            return ExitCode::from(2);
        }
    };
    let patience = match version {
        Version::Failing => PATIENCE,
        Version::Mended => DEADLINE,
    };
    let recording = Recording::new();
    let _attached = recording.attach();
    replay::copy_if_asked(&recording);
    let (done, is_done) = channel::<()>();
    let watcher = recording.clone();
    thread::spawn(move || {
        if let Some(why) = watch(&watcher, patience, &is_done) {
            let hang = trace::explain(&watcher.records(), watcher.elapsed());
            // Nothing can be done for a terminal that is gone.
            let _ = write!(std::io::stderr(), "{why}\n{hang}");
            process::exit(HUNG);
        }
    });

    let result = body(version);
    drop(done);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Waits until the demo has ended, or hangs: then says what is wrong with it.
fn watch(recording: &Recording, patience: Duration, is_done: &Receiver<()>) -> Option<String> {
    loop {
        let (silence, elapsed) = (recording.silence(), recording.elapsed());
        if silence >= patience {
            return Some(format!("Nothing has happened for {patience:?}."));
        }
        if elapsed >= DEADLINE {
            return Some(format!("Still running after {DEADLINE:?}."));
        }
        let rest = (patience - silence).min(DEADLINE - elapsed);
        if is_done.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
            return None;
        }
    }
}

/// Runs `body` on another thread, as soon as the demo's own thread sleeps: then the steps of the two come
/// in the same order each time. In a release build, where nothing is recorded, it is `thread::spawn`.
pub fn spawn_when_asleep(body: impl FnOnce() + Send + 'static) {
    match Recording::current() {
        Some(recording) if trace::ENABLED => replay::spawn_when_asleep(&recording, body),
        _ => drop(thread::spawn(body)),
    }
}

/// What a demo said, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` if a signal ended the demo.
    pub status: Option<i32>,
    /// The signal that ended the demo.
    pub signal: Option<i32>,
    /// What it printed to standard output.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
}

/// Runs the example `name` of the chapter whose test calls this, to its end.
///
/// # Panics
/// If the example has not been built, cannot be started, or still runs after twice [`DEADLINE`]
/// (it is killed then).
pub fn start(name: &str, version: Version) -> Outcome {
    finish_within_deadline(&mut command(name, version))
}

/// The command that [`start`] runs.
pub(crate) fn command(name: &str, version: Version) -> Command {
    let mut command = example(name);
    if version == Version::Mended {
        command.arg("mended");
    }
    command
}

/// Runs a command to its end, with nothing to read on its standard input.
///
/// # Panics
/// If it cannot be started, or still runs after twice [`DEADLINE`] (it is killed then).
pub fn finish_within_deadline(command: &mut Command) -> Outcome {
    let (mut child, name) = spawn(command);
    let stdout = read_all(child.stdout.take().expect("standard output is piped"));
    finish(&mut child, stdout, &name)
}

/// Starts a command whose output is read here. Returns its name with it.
pub(crate) fn spawn(command: &mut Command) -> (Child, String) {
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    (child, name)
}

/// The command that starts the example `name` of the chapter whose test calls this.
///
/// # Panics
/// If the example has not been built.
pub fn example(name: &str) -> Command {
    // Cargo puts tests into `deps`, and examples into the folder beside it.
    let test = env::current_exe().expect("a test knows where it is");
    let path: PathBuf =
        test.parent().and_then(|deps| deps.parent()).unwrap_or(&test).join("examples").join(name);
    assert!(
        path.exists(),
        "the example `{name}` has not been built: run `cargo test -p {}`, without `--test`",
        env::var("CARGO_PKG_NAME").unwrap_or_else(|_| "THE-CHAPTER".into()),
    );
    Command::new(path)
}

/// Waits for the end of a child whose standard output is being read already.
pub(crate) fn finish(child: &mut Child, stdout: JoinHandle<String>, name: &str) -> Outcome {
    let stderr = read_all(child.stderr.take().expect("standard error is piped"));
    let status = wait(child, name);
    Outcome {
        status: status.code(),
        signal: status.signal(),
        stdout: stdout.join().expect("reading does not panic"),
        stderr: stderr.join().expect("reading does not panic"),
    }
}

pub(crate) fn read_all(pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || read_text(pipe))
}

pub(crate) fn read_text(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is still worth showing.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn wait(child: &mut Child, name: &str) -> ExitStatus {
    let pid = pid(child);
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        let killer = scope.spawn(move || {
            let hung = is_done.recv_timeout(2 * DEADLINE) == Err(RecvTimeoutError::Timeout);
            if hung {
                // If it has just ended by itself, there is nothing to kill.
                let _ = kill(pid, Signal::SIGKILL);
            }
            hung
        });
        let status = child.wait().expect("a child can be waited for once");
        drop(done);
        let hung = killer.join().expect("the killer does not panic");
        assert!(!hung, "`{name}` still ran after {:?}, and was killed", 2 * DEADLINE);
        status
    })
}

pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id fits"))
}
