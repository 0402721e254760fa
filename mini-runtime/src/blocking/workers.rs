use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::time::Duration;

use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use crate::unwind::contain;

const WHOLE: &str = "nothing panics while it holds the lock of the pool";

pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// How many threads a pool has at most, and how long one without work stays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_threads: usize,
    pub(crate) keep_alive: Duration,
}

/// Threads that are made when work comes and nobody is idle, up to a bound, and go when they are idle for
/// too long. Dropping it drops the work that nobody has begun, and waits for the work that somebody has.
pub(crate) struct Workers(Arc<Shared>);

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
    /// All threads that will look at the queue again, by their numbers.
    threads: BTreeMap<u64, JoinHandle<()>>,
    last_number: u64,
    is_open: bool,
}

impl Workers {
    pub(crate) fn new(limits: Limits) -> Workers {
        let state = State {
            queue: VecDeque::new(),
            idle: 0,
            threads: BTreeMap::new(),
            last_number: 0,
            is_open: true,
        };
        Workers(Arc::new(Shared { limits, state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Has a thread do this, after what was pushed before.
    ///
    /// # Errors
    /// If there is no thread, and the system gives none. The job is dropped then.
    pub(crate) fn push(&self, job: Job) -> io::Result<()> {
        let mut state = self.0.lock();
        state.queue.push_back(job);
        if state.queue.len() <= state.idle {
            self.0.changed.notify_one();
        } else if state.threads.len() < self.0.limits.max_threads {
            // The threads that are there get to the job later, if the system gives no more.
            if let Err(error) = self.start_thread(&mut state)
                && state.threads.is_empty()
            {
                let job = state.queue.pop_back();
                drop(state);
                drop(job);
                return Err(error);
            }
        }
        Ok(())
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let shared = self.0.clone();
        state.last_number += 1;
        let number = state.last_number;
        let builder = thread::Builder::new().name("blocking".to_owned());
        let thread = builder.spawn(move || shared.work(number))?;
        state.threads.insert(number, thread);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(WHOLE)
    }

    fn work(&self, number: u64) {
        while let Some(job) = self.next_job(number) {
            // The work's own panic is caught inside. What may panic here is the drop of an output that
            // nobody wants.
            contain(job);
        }
    }

    /// Waits for something to do. `None` if the thread should go.
    fn next_job(&self, number: u64) -> Option<Job> {
        let mut state = self.lock();
        let mut is_late = false;
        loop {
            // Also if it is late: work may have come at the last moment, and nobody else was told of it.
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if is_late || !state.is_open {
                state.threads.remove(&number);
                return None;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, self.limits.keep_alive).expect(WHOLE);
            is_late = waited.1.timed_out();
            state = waited.0;
            state.idle -= 1;
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_open = false;
        let never_begun = mem::take(&mut state.queue);
        let threads = mem::take(&mut state.threads);
        drop(state);
        self.0.changed.notify_all();
        for job in never_begun {
            contain(|| drop(job));
        }
        for thread in threads.into_values() {
            thread.join().expect("a thread of the pool catches the panics of its work");
        }
    }
}
