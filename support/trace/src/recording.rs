use std::borrow::Cow;
use std::cell::RefCell;
use std::io::Write;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Cause, Event, wire};

/// An [`Event`] with its place in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How many records came before this one.
    pub seq: usize,
    /// The time since the recording was made.
    pub at: Duration,
    /// Numbers the threads in the order in which they were attached, from 0.
    pub thread: usize,
    /// The line that said so.
    pub place: Place,
    /// What happened.
    pub event: Event,
}

/// A line of source code.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The path that the compiler was given: for a crate of a workspace, from the workspace's root.
    pub file: Cow<'static, str>,
    /// Counted from 1.
    pub line: u32,
}

impl Place {
    /// What [`emit!`](crate::emit!) makes of `file!()` and `line!()`.
    pub const fn new(file: &'static str, line: u32) -> Place {
        Place { file: Cow::Borrowed(file), line }
    }
}

/// How many records a recording keeps at most. A run that goes round and round makes millions in a
/// second, and would fill the memory before anybody stops it.
pub const LIMIT: usize = 4_000_000;

/// Collects the events of every thread that is attached to it. Clones share one list, so that a
/// second thread can look at a run which hangs.
#[derive(Clone)]
pub struct Recording {
    shared: Arc<Shared>,
}

struct Shared {
    log: Mutex<Log>,
    /// Notified at each record, if somebody waits: to notify nobody is a system call, too.
    grown: Condvar,
}

struct Log {
    started: Instant,
    threads: usize,
    records: Vec<Record>,
    copy: Option<Box<dyn Write + Send>>,
    /// How many threads are in [`Recording::wait_until`].
    waiting: usize,
}

/// The recording of the threads that were never attached to one.
static EVERYBODY: OnceLock<Recording> = OnceLock::new();

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

struct Current {
    recording: Recording,
    thread: usize,
    cause: Cause,
}

impl Recording {
    /// Makes a recording that nobody is attached to yet.
    #[expect(clippy::new_without_default, reason = "`new` reads the clock")]
    pub fn new() -> Recording {
        let log = Log {
            started: Instant::now(),
            threads: 0,
            records: Vec::new(),
            copy: None,
            waiting: 0,
        };
        Recording { shared: Arc::new(Shared { log: Mutex::new(log), grown: Condvar::new() }) }
    }

    /// The recording that the current thread is attached to.
    pub fn current() -> Option<Recording> {
        CURRENT.with_borrow(|current| Some(current.as_ref()?.recording.clone()))
    }

    /// Records what the current thread does, until the returned guard is dropped. An attachment
    /// that the thread had before comes back then.
    pub fn attach(&self) -> Attached {
        Attached { previous: CURRENT.replace(Some(self.join())), _not_send: PhantomData }
    }

    /// Records every thread of this process from its first event on, unless it is attached to another
    /// recording. A process does this once: the first recording stays.
    pub fn attach_everybody(&self) {
        // A second one is told nothing, as the sentence above says.
        let _ = EVERYBODY.set(self.clone());
    }

    fn join(&self) -> Current {
        let mut log = self.lock();
        let thread = log.threads;
        log.threads += 1;
        Current { recording: self.clone(), thread, cause: Cause::Outside }
    }

    /// Writes each record to `copy` too, from now on and as soon as it is made: for a process that may
    /// end too suddenly to tell. [`read_copy`](crate::read_copy) reads it.
    pub fn copy_to(&self, copy: impl Write + Send + 'static) {
        self.lock().copy = Some(Box::new(copy));
    }

    /// What has been recorded so far.
    pub fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// The events alone.
    pub fn events(&self) -> Vec<Event> {
        self.lock().records.iter().map(|record| record.event.clone()).collect()
    }

    /// The time since the recording was made, to hold against [`Record::at`].
    pub fn elapsed(&self) -> Duration {
        self.lock().started.elapsed()
    }

    /// The time since the last record, or since the recording was made.
    pub fn silence(&self) -> Duration {
        let log = self.lock();
        let last = log.records.last().map_or(Duration::ZERO, |record| record.at);
        log.started.elapsed().saturating_sub(last)
    }

    /// Blocks until `found` accepts what has been recorded so far. Returns whether it did so within
    /// `limit`.
    pub fn wait_until(&self, limit: Duration, mut found: impl FnMut(&[Record]) -> bool) -> bool {
        let mut log = self.lock();
        log.waiting += 1;
        let wait = self.shared.grown.wait_timeout_while(log, limit, |log| !found(&log.records));
        let (mut log, waited) = wait.unwrap_or_else(PoisonError::into_inner);
        log.waiting -= 1;
        !waited.timed_out()
    }

    fn push(&self, thread: usize, place: Place, event: Event) {
        let mut log = self.lock();
        if log.records.len() == LIMIT {
            return;
        }
        let record =
            Record { seq: log.records.len(), at: log.started.elapsed(), thread, place, event };
        if let Some(copy) = &mut log.copy {
            // Who reads the copy may be gone. The recording goes on.
            let _ = copy.write_all(wire::line(&record).as_bytes()).and_then(|()| copy.flush());
        }
        log.records.push(record);
        let is_waited_for = log.waiting > 0;
        drop(log);
        if is_waited_for {
            self.shared.grown.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // A thread that panicked while it held the lock left a list that is whole.
        self.shared.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Detaches the thread from its [`Recording`] when it is dropped.
#[must_use = "the thread is detached as soon as this is dropped"]
pub struct Attached {
    previous: Option<Current>,
    _not_send: PhantomData<Rc<()>>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        CURRENT.set(self.previous.take());
    }
}

/// Adds an event to the current thread's recording. Called by [`emit!`](crate::emit!).
///
/// A [`Event::Wake`] that names no cause gets the one that [`caused_by`] set.
pub fn record(place: Place, event: impl FnOnce() -> Event) {
    // A thread that is going away may drop wakers after its thread-locals.
    let _ = CURRENT.try_with(|current| {
        join_everybody(&mut current.borrow_mut());
        let current = current.borrow();
        let Some(Current { recording, thread, cause }) = current.as_ref() else {
            return;
        };
        let mut event = event();
        if let Event::Wake { by: by @ Cause::Outside, .. } = &mut event {
            *by = *cause;
        }
        recording.push(*thread, place, event);
    });
}

fn join_everybody(current: &mut Option<Current>) {
    if current.is_none() {
        *current = EVERYBODY.get().map(Recording::join);
    }
}

/// Names the cause of the wakes that follow on this thread, until the guard is dropped.
pub fn caused_by(cause: Cause) -> CauseGuard {
    CauseGuard { previous: swap_cause(cause), _not_send: PhantomData }
}

/// Brings the cause back that was there before, when it is dropped.
#[must_use = "the cause is forgotten as soon as this is dropped"]
pub struct CauseGuard {
    previous: Cause,
    _not_send: PhantomData<Rc<()>>,
}

impl Drop for CauseGuard {
    fn drop(&mut self) {
        swap_cause(self.previous);
    }
}

fn swap_cause(cause: Cause) -> Cause {
    if !crate::ENABLED {
        return Cause::Outside;
    }
    CURRENT.with_borrow_mut(|current| {
        join_everybody(current);
        match current {
            Some(current) => std::mem::replace(&mut current.cause, cause),
            None => Cause::Outside,
        }
    })
}
