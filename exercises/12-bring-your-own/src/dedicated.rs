use std::fmt;
use std::future::pending;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use ch10_join_cancel::JoinError;
use ch11_threads::{RemoteHandle, oneshot};
use futures::future::{BoxFuture, Either, select};

use crate::Executor;
use crate::worker::Worker;

/// How much the threads step back. 0 is normal, 19 steps back the most.
const NICENESS: i32 = 10;

/// Threads of lower priority for tasks that compute, each with a runtime of its own. The thread that
/// serves sockets stays free for them.
///
/// A task stays on the thread that it was given to. They are given out in turn.
///
/// Dropping this cancels what runs, and waits for the threads: each ends after the poll that it is in.
///
/// See the section "Work that computes" of chapter 12.
pub struct DedicatedExecutor {
    workers: Vec<Worker<()>>,
    next: AtomicUsize,
}

impl DedicatedExecutor {
    /// Starts the threads. They are called `name`.
    ///
    /// # Errors
    /// If the system gives no thread or no file descriptors: each takes three.
    ///
    /// # Panics
    /// If `threads` is zero, or `name` has a zero byte in it.
    pub fn new(name: &str, threads: usize) -> io::Result<DedicatedExecutor> {
        assert!(threads >= 1, "an executor without threads never does anything");
        let mut executor = DedicatedExecutor { workers: Vec::new(), next: AtomicUsize::new(0) };
        for _ in 0..threads {
            let worker = Worker::start(name.to_owned(), step_back, wait_for_the_end)?;
            executor.workers.push(worker);
        }
        Ok(executor)
    }

    /// Starts a task on one of the threads.
    pub fn spawn<F>(&self, future: F) -> Job<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // EXERCISE 12.4: A job that can be cancelled
        todo!("12.4: start the future on the next thread, so that dropping the job cancels it");
        // END 12.4
    }

    /// Cancels what runs, and takes no more: jobs say `Cancelled` from now on. Does not wait.
    pub fn shutdown(&self) {
        self.workers.iter().for_each(Worker::stop);
    }

    /// Shuts down, and waits for the threads.
    ///
    /// This blocks, until each thread is through with the poll that it is in.
    pub fn join(self) {
        drop(self);
    }
}

impl Drop for DedicatedExecutor {
    fn drop(&mut self) {
        self.shutdown();
        for worker in self.workers.drain(..) {
            // A job that owns its own executor drops it here: a thread cannot wait for itself.
            if !worker.is_current() {
                // A task that panicked has told its job, if it has one. There is nobody else to tell.
                drop(worker.join());
            }
        }
    }
}

fn step_back() -> io::Result<()> {
    // On Linux, niceness is the thread's, not the process's.
    rustix::process::nice(NICENESS)?;
    Ok(())
}

async fn wait_for_the_end(stopped: oneshot::Receiver<()>) {
    // An error is what it waits for: the sender is dropped, and nothing is ever sent.
    let _ = stopped.await;
}

/// Ready when the job was dropped. Never, if it was detached.
async fn cancelled(kept: oneshot::Receiver<()>) {
    if kept.await.is_ok() {
        pending().await
    }
}

impl Executor for DedicatedExecutor {
    fn execute(&self, future: BoxFuture<'static, ()>) {
        self.spawn(future).detach();
    }
}

/// A future for the output of a task on a [`DedicatedExecutor`].
///
/// See the section "Work that computes" of chapter 12.
///
/// # Cancel safety
/// Dropping it cancels the task, whose future is dropped on its own thread. A job that is awaited by
/// reference loses nothing.
#[must_use = "the task is cancelled as soon as this is dropped"]
pub struct Job<T> {
    output: RemoteHandle<Option<T>>,
    /// Dropped unsent, it cancels the task.
    keep: Option<oneshot::Sender<()>>,
}

impl<T> Job<T> {
    /// Lets the task go on alone. Nobody gets its output.
    pub fn detach(mut self) {
        if let Some(keep) = self.keep.take() {
            // An error says that the task has ended.
            let _ = keep.send(());
        }
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let output = Pin::new(&mut self.output).poll(cx);
        output.map(|ended| ended?.ok_or(JoinError::Cancelled))
    }
}

impl fmt::Debug for DedicatedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedicatedExecutor").field("threads", &self.workers.len()).finish()
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("output", &self.output).finish()
    }
}
