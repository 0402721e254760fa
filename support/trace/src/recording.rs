use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Cause, Event};

/// An [`Event`] with its place in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// How many records came before this one.
    pub seq: usize,
    /// The time since the recording was made.
    pub at: Duration,
    /// Numbers the threads in the order in which they were attached, from 0.
    pub thread: usize,
    /// What happened.
    pub event: Event,
}

/// How many records a recording keeps at most. A run that goes round and round makes millions in a
/// second, and would fill the memory before anybody stops it.
pub const LIMIT: usize = 4_000_000;

/// Collects the events of every thread that is attached to it. Clones share one list, so that a
/// second thread can look at a run which hangs.
#[derive(Clone)]
pub struct Recording {
    log: Arc<Mutex<Log>>,
}

struct Log {
    started: Instant,
    threads: usize,
    records: Vec<Record>,
}

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
        let log = Log { started: Instant::now(), threads: 0, records: Vec::new() };
        Recording { log: Arc::new(Mutex::new(log)) }
    }

    /// The recording that the current thread is attached to.
    pub fn current() -> Option<Recording> {
        CURRENT.with_borrow(|current| Some(current.as_ref()?.recording.clone()))
    }

    /// Records what the current thread does, until the returned guard is dropped. An attachment
    /// that the thread had before comes back then.
    pub fn attach(&self) -> Attached {
        let mut log = self.lock();
        let thread = log.threads;
        log.threads += 1;
        drop(log);

        let current = Current { recording: self.clone(), thread, cause: Cause::Outside };
        Attached { previous: CURRENT.replace(Some(current)), _not_send: PhantomData }
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

    fn lock(&self) -> MutexGuard<'_, Log> {
        // A thread that panicked while it held the lock left a list that is whole.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
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
pub fn record(event: impl FnOnce() -> Event) {
    // A thread that is going away may drop wakers after its thread-locals.
    let _ = CURRENT.try_with(|current| {
        let current = current.borrow();
        let Some(Current { recording, thread, cause }) = current.as_ref() else {
            return;
        };
        let mut log = recording.lock();
        if log.records.len() == LIMIT {
            return;
        }
        let mut event = event();
        if let Event::Wake { by: by @ Cause::Outside, .. } = &mut event {
            *by = *cause;
        }
        let record =
            Record { seq: log.records.len(), at: log.started.elapsed(), thread: *thread, event };
        log.records.push(record);
    });
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
    CURRENT.with_borrow_mut(|current| match current {
        Some(current) => std::mem::replace(&mut current.cause, cause),
        None => Cause::Outside,
    })
}
