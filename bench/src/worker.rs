//! Workers: this same program, in a process of its own for each measurement, so that nothing of another
//! runtime is in its way.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cpu;
use crate::load::{self, MESSAGE, Seen, WARM_UP};
use crate::rows::{Metric, Row};
use crate::runtimes::Peer;

/// What a worker does.
pub fn work(peer: Peer, row: Row, operations: u64) -> io::Result<()> {
    // Whoever measures has gone: nobody wants to know any more.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    cpu::pin(0);
    peer.work(row, operations)
}

/// A worker, seen from outside. Dropping it ends it.
pub struct Worker {
    child: Child,
    lines: Receiver<String>,
    deadline: Instant,
}

impl Worker {
    /// Starts a worker. With a `tool`, the tool is started, and given the worker's command line.
    pub fn start(
        tool: &[OsString],
        peer: Peer,
        row: Row,
        operations: u64,
        limit: Duration,
    ) -> io::Result<Worker> {
        let mut line = tool.to_vec();
        line.push(env::current_exe()?.into());
        let operations = operations.to_string();
        line.extend(["worker", peer.name(), row.name(), &operations].map(OsString::from));
        let mut child = Command::new(&line[0])
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("it is a pipe");
        let (sender, lines) = channel();
        // It ends with the worker's output, or when nobody listens to it any more.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Worker { child, lines, deadline: Instant::now() + limit })
    }

    /// What follows this word in the next line.
    ///
    /// # Errors
    /// If the worker says something else, or nothing before its time is over.
    fn hear(&mut self, word: &str) -> io::Result<String> {
        let line = self.next_line()?.ok_or_else(|| self.ended_early())?;
        let rest = line.strip_prefix(word).map(str::trim);
        rest.map(str::to_owned).ok_or_else(|| io::Error::other(format!("the worker says: {line}")))
    }

    fn next_line(&mut self) -> io::Result<Option<String>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(too_slow()),
        }
    }

    /// Waits until the worker has ended.
    ///
    /// # Errors
    /// If it has failed, or does not end before its time is over.
    fn end(&mut self) -> io::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let text = || io::Error::other(format!("the worker has failed: {status}"));
                return if status.success() { Ok(()) } else { Err(text()) };
            }
            if Instant::now() > self.deadline {
                return Err(too_slow());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn ended_early(&mut self) -> io::Error {
        match self.end() {
            Ok(()) => io::Error::other("the worker has ended without a word"),
            Err(error) => error,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended is killed for nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the worker takes too long, and was ended")
}

/// A client sends no more after so long. On a machine with other work, a message may take milliseconds.
const SPAN: Duration = Duration::from_secs(5);

/// What a worker has measured, and of an echo server what its client has.
pub type Measured = Vec<(Metric, f64)>;

/// Has a worker do `operations` of a row.
///
/// # Errors
/// If it fails, or does not end within the limit.
pub fn measure(
    tool: &[OsString],
    peer: Peer,
    row: Row,
    operations: u64,
    limit: Duration,
) -> io::Result<Measured> {
    let mut worker = Worker::start(tool, peer, row, operations, limit)?;
    if let Row::Echo(connections) = row {
        // What is counted is counted to its end.
        let span = if tool.is_empty() { SPAN } else { limit };
        let seen = serve(&mut worker, connections, operations, span)?;
        let requests = seen.requests as f64;
        return Ok(vec![
            (Metric::Cpu, seen.server.as_secs_f64() * 1e6 / requests),
            (Metric::Rate, requests / seen.wall.as_secs_f64()),
            (Metric::P99, seen.p99 / 1e3),
        ]);
    }
    let mut measured = Vec::new();
    while let Some(line) = worker.next_line()? {
        let (name, value) = line.split_once(' ').unwrap_or((&line, ""));
        let (Some(metric), Ok(value)) = (Metric::named(name), value.parse()) else {
            return Err(io::Error::other(format!("the worker says: {line}")));
        };
        measured.push((metric, value));
    }
    worker.end()?;
    if measured.len() != row.metrics().len() {
        return Err(io::Error::other("the worker has not measured what it should"));
    }
    Ok(measured)
}

/// The load for a server, which has to echo all that it gets, and to end after that.
fn serve(
    worker: &mut Worker,
    connections: usize,
    requests: u64,
    span: Duration,
) -> io::Result<Seen> {
    let address: SocketAddr = worker.hear("listening")?.parse().map_err(io::Error::other)?;
    let seen = load::run(address, connections, requests, span, worker.child.id())?;
    // One message came first, to see that the connection is there.
    let messages = seen.requests + (WARM_UP + 1) * connections as u64;
    let served: u64 = worker.hear("served")?.parse().map_err(io::Error::other)?;
    worker.end()?;
    if served != messages * MESSAGE as u64 {
        let text = format!("the server has echoed {served} bytes, for {messages} messages");
        return Err(io::Error::other(text));
    }
    Ok(seen)
}
