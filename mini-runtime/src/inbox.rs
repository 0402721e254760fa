use std::mem;
use std::sync::Arc;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering};
use crate::task::name::TaskName;
use crate::unwind::contain;

/// Something to be done on a runtime's thread.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// Ends the sleep of a runtime's thread, or else its next one.
pub(crate) type Unpark = Arc<dyn Fn() + Send + Sync>;

/// From this many wakes on, it pays to look for tasks that were woken twice.
const CROWD: usize = 1024;

/// How other threads reach a runtime: wakes, calls, and an unpark for the first of them.
///
/// Built in chapter 11, section "An inbox". What changed: whoever looks into an empty one takes no lock.
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Set under the lock when something comes in, and before the unpark. So a thread that has not seen it is
    /// not asleep, or is about to be woken.
    has_mail: AtomicBool,
}

struct State {
    mail: Mail,
    /// When there are more wakes than this, they are searched for doubles.
    crowd: usize,
    /// `None` while the inbox is closed.
    unpark: Option<Unpark>,
    /// How often the inbox was opened.
    generation: u64,
}

/// What has come in.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) wakes: Vec<TaskName>,
    pub(crate) calls: Vec<Call>,
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.wakes.is_empty() && self.calls.is_empty()
    }
}

impl Inbox {
    /// An inbox of nobody.
    pub(crate) fn closed() -> Inbox {
        let state = State { mail: Mail::default(), crowd: CROWD, unpark: None, generation: 0 };
        Inbox { state: Mutex::new(state), has_mail: AtomicBool::new(false) }
    }

    /// From now on, what comes in is for the thread that `unpark` wakes up.
    pub(crate) fn open(&self, unpark: Unpark) {
        let mut state = self.lock();
        state.unpark = Some(unpark);
        state.generation += 1;
    }

    /// Tells the runtimes that have had this inbox apart.
    pub(crate) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Takes nothing in any more, and drops what nobody has read.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        let unpark = state.unpark.take();
        let mail = mem::take(&mut state.mail);
        self.has_mail.store(false, Ordering::Relaxed);
        drop(state);
        drop(unpark);
        // A call that is dropped may run any code, and the others are dropped all the same.
        for call in mail.calls {
            contain(|| drop(call));
        }
    }

    // ANCHOR: wake
    /// Has a task polled. A closed inbox has nobody who could.
    pub(crate) fn wake(&self, task: TaskName) {
        self.put(|state| {
            let wakes = &mut state.mail.wakes;
            if wakes.last() == Some(&task) {
                return;
            }
            wakes.push(task);
            // Somebody who wakes the same few tasks again and again must not fill the memory.
            if wakes.len() > state.crowd {
                wakes.sort_unstable();
                wakes.dedup();
                state.crowd = CROWD.max(2 * wakes.len());
            }
        });
    }
    // ANCHOR_END: wake

    /// Has something called on the thread of the runtime that has opened this inbox in `generation`.
    ///
    /// # Errors
    /// With the call, if that runtime has closed it.
    pub(crate) fn call(&self, generation: u64, call: Call) -> Result<(), Call> {
        let mut call = Some(call);
        self.put(|state| {
            if state.generation == generation {
                state.mail.calls.extend(call.take());
            }
        });
        call.map_or(Ok(()), Err)
    }

    // ANCHOR: put
    fn put(&self, put: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        if state.unpark.is_none() {
            return;
        }
        let was_empty = state.mail.is_empty();
        put(&mut state);
        let mut unpark = None;
        if was_empty && !state.mail.is_empty() {
            self.has_mail.store(true, Ordering::Release);
            unpark = state.unpark.clone();
        }
        drop(state);
        // After it is there, or the thread could look too early and sleep again. Whoever comes second
        // finds that the first has seen to it.
        if let Some(unpark) = unpark {
            unpark();
        }
    }
    // ANCHOR_END: put

    // ANCHOR: take
    /// Takes out all that has come in, if anything has. The next to come unparks the thread again.
    #[inline]
    pub(crate) fn take(&self) -> Option<Mail> {
        if !self.has_mail.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.lock();
        self.has_mail.store(false, Ordering::Relaxed);
        state.crowd = CROWD;
        Some(mem::take(&mut state.mail))
    }
    // ANCHOR_END: take

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the lock of an inbox")
    }
}
