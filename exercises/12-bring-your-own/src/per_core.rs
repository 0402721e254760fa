use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::sync::Arc;
use std::thread;

use ch07_tcp::TcpListener;
use ch11_threads::oneshot;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, listen, setsockopt, socket,
    sockopt::{ReuseAddr, ReusePort},
};
use nix::unistd::Pid;
use std::os::fd::AsRawFd;

use crate::worker::Worker;

/// What one of the threads is told when it starts.
#[derive(Debug)]
pub struct Core {
    /// The number of this thread, from 0.
    pub index: usize,
    /// Ready when it should stop, always with an error: nothing is ever sent.
    pub stopped: oneshot::Receiver<()>,
}

/// Threads with a runtime each.
///
/// Dropping it asks them to stop, and does not wait.
pub struct Cores<T> {
    workers: Vec<Worker<T>>,
}

/// Runs `main` on this many threads. Each has a runtime of its own, and a CPU of its own as long as
/// there are enough of those that the process may use. They share nothing but what `main` shares. A
/// thread that is started on one of them, such as those for blocking work, stays on the same CPU.
///
/// See the section "A runtime for each core" of chapter 12.
///
/// # Errors
/// If the system gives no thread or no file descriptors, or refuses the CPU. Those that run already
/// are asked to stop.
pub fn per_core<F>(
    threads: usize,
    main: impl Fn(Core) -> F + Send + Sync + 'static,
) -> io::Result<Cores<F::Output>>
where
    F: Future,
    F::Output: Send + 'static,
{
    let main = Arc::new(main);
    let cpus = allowed_cpus()?;
    let mut cores = Cores { workers: Vec::new() };
    for index in 0..threads {
        let main = main.clone();
        let cpu = cpus[index % cpus.len()];
        let worker = Worker::start(
            format!("core-{index}"),
            move || stay_on(cpu),
            move |stopped| async move { main(Core { index, stopped }).await },
        )?;
        cores.workers.push(worker);
    }
    Ok(cores)
}

impl<T> Cores<T> {
    /// Asks all threads to stop.
    pub fn stop(&self) {
        self.workers.iter().for_each(Worker::stop);
    }

    /// Waits until all threads have ended. Returns what each of them returned, or the payload of its
    /// panic.
    ///
    /// This blocks.
    pub fn join(self) -> Vec<thread::Result<T>> {
        self.workers.into_iter().map(Worker::join).collect()
    }
}

/// The CPUs that this process may use.
fn allowed_cpus() -> io::Result<Vec<usize>> {
    let allowed = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect())
}

/// Keeps this thread on one CPU.
fn stay_on(cpu: usize) -> io::Result<()> {
    let mut only = CpuSet::new();
    only.set(cpu)?;
    // For the system call, 0 is the thread that calls.
    sched_setaffinity(Pid::from_raw(0), &only)?;
    Ok(())
}

/// Listens on an address on which other sockets of this user may listen in the same way. The kernel
/// spreads the clients over them.
///
/// See the section "A runtime for each core" of chapter 12.
///
/// # Errors
/// If the address is not one of this machine's, or if somebody listens there in another way.
///
/// # Panics
/// If no runtime runs on this thread.
pub fn listen_reuse_port(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, ReuseAddr, &true)?;
    // Before the bind: that is where the kernel compares.
    setsockopt(&socket, ReusePort, &true)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&socket, Backlog::MAXCONN)?;
    TcpListener::from_std(net::TcpListener::from(socket))
}

impl<T> fmt::Debug for Cores<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cores").field("threads", &self.workers.len()).finish()
    }
}
