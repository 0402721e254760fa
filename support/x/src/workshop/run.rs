//! Builds exercise crates, and runs their tests: each in a process of its own, under a deadline.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;

use super::scratch::Scratch;

/// The children that run now, to be ended with us.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Kills what is running, for good: nothing can be started after it. Called when the process ends.
pub fn kill_children() {
    let running = lock();
    for group in running.iter() {
        // One that has just ended needs no killing.
        let _ = killpg(*group, Signal::SIGKILL);
    }
    // Whoever is about to start the next child waits for this lock until the process is gone.
    std::mem::forget(running);
}

/// What a line of `conformance::skip` begins with.
const SKIPPED: &str = "SKIPPED: ";

/// The tests of one crate, built.
#[derive(Debug, Default)]
pub struct Tests {
    /// By the name of the file in `tests`, without `.rs`.
    binaries: BTreeMap<String, PathBuf>,
}

/// What came of building.
pub enum Built {
    Tests(Tests),
    /// What the compiler said.
    Failed(String),
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// With what it printed.
    Failed(String),
    /// It did not end in time, and was killed.
    TimedOut(String),
    /// It has said that it cannot be run on this machine, and why.
    Skipped(String),
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        target: Target,
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds the integration tests of a package in a scratch workspace.
pub fn build(scratch: &Scratch, package: &str, target: &Path) -> Result<Built> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["test", "--no-run", "--quiet", "--message-format", "json-render-diagnostics"])
        .args(["--package", package, "--test", "*"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(scratch.folder());
    // Building has no deadline: a first build compiles what the crate depends on.
    let ended = run(&mut cargo, None).context("cargo cannot be started")?;
    if !ended.success {
        return Ok(Built::Failed(ended.stderr));
    }
    let mut tests = Tests::default();
    for line in ended.stdout.lines() {
        if let Ok(Message::CompilerArtifact { target, executable: Some(path) }) =
            serde_json::from_str(line)
            && target.kind.iter().any(|kind| kind == "test")
        {
            tests.binaries.insert(target.name, path);
        }
    }
    Ok(Built::Tests(tests))
}

impl Tests {
    /// The names of all tests, as `file::name`.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (file, binary) in &self.binaries {
            let listed = run(Command::new(binary).args(["--list", "--format", "terse"]), None)?;
            let tests = listed.stdout.lines().filter_map(|line| line.strip_suffix(": test"));
            names.extend(tests.map(|test| format!("{file}::{test}")));
        }
        Ok(names)
    }

    /// Runs one test. Its own watchdog explains a hang after `deadline`; a test that does not end
    /// even then is killed.
    pub fn run(&self, name: &str, deadline: Duration) -> Result<Verdict> {
        self.run_with(name, deadline, &[])
    }

    /// As [`run`](Tests::run), and has what the test records copied to a file.
    pub fn run_recorded(&self, name: &str, deadline: Duration, file: &Path) -> Result<Verdict> {
        self.run_with(name, deadline, &[("TRACE_FILE", file)])
    }

    fn run_with(
        &self,
        name: &str,
        deadline: Duration,
        environment: &[(&str, &Path)],
    ) -> Result<Verdict> {
        let (file, test) =
            name.split_once("::").with_context(|| format!("{name} names no file"))?;
        let Some(binary) = self.binaries.get(file) else {
            bail!("there is no tests/{file}.rs, where {name} should be");
        };
        let mut command = Command::new(binary);
        command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env("RUST_BACKTRACE", "0")
            .envs(environment.iter().copied())
            .env("TEST_DEADLINE_MS", deadline.as_millis().to_string());
        let ended = run(&mut command, Some(2 * deadline))?;
        let output = format!("{}{}", ended.stdout, ended.stderr);
        if ended.timed_out {
            return Ok(Verdict::TimedOut(output));
        }
        if !ended.success {
            return Ok(Verdict::Failed(output));
        }
        if !ended.stdout.contains("1 passed") {
            bail!("there is no test {name}");
        }
        match output.lines().find_map(|line| line.strip_prefix(SKIPPED)) {
            Some(why) => Ok(Verdict::Skipped(why.to_string())),
            None => Ok(Verdict::Passed),
        }
    }
}

struct Ended {
    success: bool,
    timed_out: bool,
    stdout: String,
    stderr: String,
}

/// Runs a command in a process group of its own, and kills the whole group at the deadline.
fn run(command: &mut Command, deadline: Option<Duration>) -> Result<Ended> {
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // No child is started that the list does not know.
    let mut running = lock();
    let mut child = command
        .spawn()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    let group = Pid::from_raw(child.id().try_into()?);
    running.push(group);
    drop(running);

    let stdout = read_all(child.stdout.take().context("standard output is piped")?);
    let stderr = read_all(child.stderr.take().context("standard error is piped")?);
    let (ended, has_ended) = channel();
    let waiter = thread::spawn(move || {
        let status = child.wait();
        let _ = ended.send(());
        status
    });
    let timed_out = deadline
        .is_some_and(|deadline| has_ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout));
    if timed_out {
        // If it ended in this moment, there is nothing to kill.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let status = waiter.join().expect("waiting does not panic")?;
    // What the child has started and left behind would keep the pipes open.
    let _ = killpg(group, Signal::SIGKILL);
    lock().retain(|running| *running != group);
    Ok(Ended {
        success: status.success(),
        timed_out,
        stdout: stdout.join().expect("reading does not panic"),
        stderr: stderr.join().expect("reading does not panic"),
    })
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_killed_with_its_children() {
        // The child of the shell would keep the pipes open for an hour.
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo begun; sleep 3600 & wait"]);
        let ended = run(&mut shell, Some(Duration::from_millis(300))).unwrap();
        assert!(ended.timed_out && !ended.success);
        assert_eq!(ended.stdout, "begun\n");
    }

    #[test]
    fn what_a_command_leaves_behind_is_killed_when_it_ends() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 3600 & echo done"]);
        let ended = run(&mut shell, None).unwrap();
        assert!(ended.success && !ended.timed_out);
        assert_eq!(ended.stdout, "done\n");
    }
}
