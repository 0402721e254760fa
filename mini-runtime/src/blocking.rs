//! Threads for work that blocks. Built in chapter 11, section "Work that blocks".

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use crate::task::remote::remote;
use crate::task::{JoinError, RemoteHandle};

const WHOLE: &str = "nothing panics while it holds the lock of the pool";

type Job = Box<dyn FnOnce() + Send>;

/// How many threads a pool has at most, and how long one without work stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_threads: usize,
    pub(crate) keep_alive: Duration,
}

/// Threads that are made when work comes and nobody is idle, up to a bound, and go when they are idle for
/// too long. Dropping it drops the work that nobody has begun, and waits for the work that somebody has.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    limits: Limits,
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
    pub(crate) fn new(limits: Limits) -> Pool {
        let state =
            State { queue: VecDeque::new(), idle: 0, workers: HashMap::new(), is_open: true };
        Pool(Arc::new(Shared { limits, state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// # Panics
    /// If the pool has no thread, and the system gives it none.
    pub(crate) fn spawn<T>(&self, work: impl FnOnce() -> T + Send + 'static) -> RemoteHandle<T>
    where
        T: Send + 'static,
    {
        let (outcome, handle) = remote();
        let job = Box::new(move || {
            outcome.set(catch_unwind(AssertUnwindSafe(work)).map_err(JoinError::panicked));
        });
        if let Err(error) = self.0.push(job) {
            panic!("no thread for the blocking work could be started: {error}");
        }
        handle
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(WHOLE)
    }

    fn push(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let mut state = self.lock();
        state.queue.push_back(job);
        if state.queue.len() <= state.idle {
            self.changed.notify_one();
        } else if state.workers.len() < self.limits.max_threads {
            // The threads that are there get to the job later, if the system gives no more.
            if let Err(error) = self.start_worker(&mut state)
                && state.workers.is_empty()
            {
                let job = state.queue.pop_back();
                drop(state);
                drop(job);
                return Err(error);
            }
        }
        Ok(())
    }

    fn start_worker(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        let shared = self.clone();
        let thread = thread::Builder::new().name("blocking".to_owned());
        let worker = thread.spawn(move || shared.work())?;
        state.workers.insert(worker.thread().id(), worker);
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next_job() {
            // The work's own panic is caught inside. What may panic here is the drop of an output that
            // nobody wants.
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
            let waited = self.changed.wait_timeout(state, self.limits.keep_alive);
            let timed_out;
            (state, timed_out) = waited.expect(WHOLE);
            state.idle -= 1;
            // Work may have come at the last moment. Nobody else was told of it.
            if timed_out.timed_out() && state.queue.is_empty() && state.is_open {
                state.workers.remove(&thread::current().id());
                return None;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_open = false;
        let never_begun = std::mem::take(&mut state.queue);
        let workers = std::mem::take(&mut state.workers);
        drop(state);
        self.0.changed.notify_all();
        drop(never_begun);
        for worker in workers.into_values() {
            worker.join().expect("a worker catches the panics of its work");
        }
    }
}
