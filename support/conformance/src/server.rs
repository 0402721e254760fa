use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::RawFd;
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};

use crate::DEADLINE;
use crate::demo::{self, Outcome};

/// An example that serves, running as a child process. Dropping this kills it.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    /// What stands behind `Listening on` in the server's first line.
    pub address: String,
}

impl Server {
    /// Starts the example `name` of the chapter whose test calls this, and waits until it listens.
    ///
    /// # Panics
    /// If the example has not been built, or does not say `Listening on ADDRESS` before [`DEADLINE`].
    pub fn start(name: &str, arguments: &[&str]) -> Server {
        Server::run(demo::example(name).args(arguments))
    }

    /// The same, for any command that serves.
    ///
    /// # Panics
    /// As [`start`](Server::start) does.
    pub fn run(command: &mut Command) -> Server {
        let (mut child, name) = demo::spawn(command);
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let (first, is_first) = channel();
        let rest = thread::spawn(move || {
            let mut line = String::new();
            // A line that cannot be read is an empty one, and no address.
            let _ = stdout.read_line(&mut line);
            // The server may have been given up.
            let _ = first.send(line);
            demo::read_text(stdout)
        });
        let line = is_first.recv_timeout(DEADLINE).unwrap_or_default();
        let mut server = Server { name, child, stdout: Some(rest), address: String::new() };
        match line.trim_end().strip_prefix("Listening on ") {
            Some(address) => server.address = address.into(),
            None => panic!("{} does not listen, but says {line:?}", server.name),
        }
        server
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file descriptors that the server has open.
    ///
    /// # Panics
    /// If the server has ended.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let folder = fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("the server runs");
        folder
            .map(|entry| entry.expect("the server runs").file_name())
            .map(|name| name.to_string_lossy().parse().expect("the entries are numbers"))
            .collect()
    }

    /// Sends a signal, and waits for the server's end.
    ///
    /// # Panics
    /// If the server has ended already, or still runs after twice [`DEADLINE`].
    pub fn stop(mut self, signal: Signal) -> Outcome {
        kill(demo::pid(&self.child), signal).expect("the server runs");
        let stdout = self.stdout.take().expect("a server is stopped once");
        demo::finish(&mut self.child, stdout, &self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended and been waited for, which is as it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
