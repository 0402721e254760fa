use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use ch10_join_cancel::JoinError;

use crate::RemoteHandle;
use crate::remote::remote;

const WHOLE: &str = "nothing panics while it holds the lock of a pool";

type Job = Box<dyn FnOnce() + Send>;

/// How many threads a [`Pool`] has, and for how long.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// How many threads there are at most. One at least. Work above that waits for a thread.
    pub max_threads: usize,
    /// How long a thread without work stays.
    pub keep_alive: Duration,
    /// What the threads are called.
    pub thread_name: String,
}

impl Default for PoolConfig {
    /// 512 threads, which stay for 10 seconds.
    fn default() -> PoolConfig {
        PoolConfig {
            max_threads: 512,
            keep_alive: Duration::from_secs(10),
            thread_name: "blocking".to_owned(),
        }
    }
}

/// Threads for work that blocks. It grows when work comes and nobody is idle, up to a bound, and
/// shrinks when threads are idle for too long.
///
/// Dropping it drops the work that nobody has begun, whose handles say `Cancelled`, and waits for the
/// work that somebody has.
///
/// See the section "Work that blocks" of chapter 11.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    config: PoolConfig,
    state: Mutex<State>,
    /// Notified when there is work, or when the pool is dropped.
    changed: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    /// How many threads sleep, or were woken and have not looked at the queue yet.
    idle: usize,
    workers: HashMap<ThreadId, JoinHandle<()>>,
    is_open: bool,
}

impl Pool {
    /// A pool without threads.
    ///
    /// # Panics
    /// If `max_threads` is zero, or `thread_name` has a zero byte in it.
    pub fn new(config: PoolConfig) -> Pool {
        assert!(config.max_threads >= 1, "a pool of no threads never does anything");
        assert!(!config.thread_name.contains('\0'), "a thread's name has no zero byte in it");
        let state =
            State { queue: VecDeque::new(), idle: 0, workers: HashMap::new(), is_open: true };
        let shared = Shared { config, state: Mutex::new(state), changed: Condvar::new() };
        Pool { shared: Arc::new(shared) }
    }

    /// Runs `work` on a thread of the pool, in the order of the calls. Never blocks.
    ///
    /// What was begun cannot be stopped: there is no await in it at which it could be dropped.
    ///
    /// # Panics
    /// If the pool has no thread, and the system gives it none.
    pub fn spawn<T>(&self, work: impl FnOnce() -> T + Send + 'static) -> RemoteHandle<T>
    where
        T: Send + 'static,
    {
        let (outcome, handle) = remote();
        let job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(JoinError::Panicked);
            // If nobody waits for it any more, this drops it.
            drop(outcome.send(result));
        });
        if let Err(error) = self.shared.push(job) {
            panic!("no thread for the blocking work could be started: {error}");
        }
        handle
    }

    /// How many threads there are now.
    pub fn threads(&self) -> usize {
        self.shared.lock().workers.len()
    }

    /// How many of them have nothing to do.
    pub fn idle_threads(&self) -> usize {
        self.shared.lock().idle
    }

    /// How much work waits for a thread.
    pub fn queued(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(WHOLE)
    }

    fn push(self: &Arc<Self>, job: Job) -> io::Result<()> {
        // EXERCISE 11.4: A pool that grows
        todo!("11.4: queue the job, and see to it that a thread comes for it");
        // END 11.4
    }

    fn start_worker(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let shared = self.clone();
        let name = self.config.thread_name.clone();
        let worker = thread::Builder::new().name(name).spawn(move || shared.work())?;
        state.workers.insert(worker.thread().id(), worker);
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next_job() {
            // The work's own panic is caught inside. What may panic here is the drop of an output
            // that nobody wants.
            drop(catch_unwind(AssertUnwindSafe(job)));
        }
    }

    /// Waits for something to do. `None` if the thread should go.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if !state.is_open {
                return None;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, self.config.keep_alive);
            let timed_out;
            (state, timed_out) = waited.expect(WHOLE);
            state.idle -= 1;
            // Work may have come at the last moment. Nobody else was told of it.
            if timed_out.timed_out() && state.queue.is_empty() {
                state.workers.remove(&thread::current().id());
                return None;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_open = false;
        let never_begun = std::mem::take(&mut state.queue);
        let workers = std::mem::take(&mut state.workers);
        drop(state);
        self.shared.changed.notify_all();
        drop(never_begun);
        for (id, worker) in workers {
            // Work that owns its own pool drops it here: the thread cannot wait for itself.
            if id != thread::current().id() {
                worker.join().expect("a worker catches the panics of its work");
            }
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
