use std::sync::{Arc, Mutex, MutexGuard};

use crate::task::name::TaskName;

/// Something to be done on a runtime's thread.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// Ends the sleep of a runtime's thread, or else its next one.
pub(crate) type Unpark = Arc<dyn Fn() + Send + Sync>;

/// From this many wakes on, it pays to look for tasks that were woken twice.
const CROWD: usize = 1024;

/// How other threads reach a runtime: wakes, calls, and an unpark for the first of them.
///
/// Built in chapter 11, section "An inbox".
pub(crate) struct Inbox(Mutex<State>);

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
        Inbox(Mutex::new(State {
            mail: Mail::default(),
            crowd: CROWD,
            unpark: None,
            generation: 0,
        }))
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
        let mail = std::mem::take(&mut state.mail);
        // A call that is dropped may run any code.
        drop(state);
        drop((unpark, mail));
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
        let is_first = was_empty && !state.mail.is_empty();
        let unpark = if is_first { state.unpark.clone() } else { None };
        drop(state);
        // After it is there, or the thread could look too early and sleep again. Whoever comes second
        // finds that the first has seen to it.
        if let Some(unpark) = unpark {
            unpark();
        }
    }
    // ANCHOR_END: put

    /// Takes out all that has come in. The next to come unparks the thread again.
    pub(crate) fn take(&self) -> Mail {
        let mut state = self.lock();
        state.crowd = CROWD;
        std::mem::take(&mut state.mail)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds the lock of an inbox")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    fn name(index: usize) -> TaskName {
        TaskName::new(1, index, 0)
    }

    /// An open inbox, and how often it has unparked its thread.
    fn open() -> (Inbox, Arc<AtomicUsize>) {
        let unparks = Arc::new(AtomicUsize::new(0));
        let inbox = Inbox::closed();
        let counts = unparks.clone();
        inbox.open(Arc::new(move || _ = counts.fetch_add(1, SeqCst)));
        (inbox, unparks)
    }

    #[test]
    fn the_first_to_come_unparks_and_the_others_do_not() {
        let (inbox, unparks) = open();
        inbox.wake(name(1));
        inbox.wake(name(2));
        assert!(inbox.call(inbox.generation(), Box::new(|| ())).is_ok());
        assert_eq!(unparks.load(SeqCst), 1);
        let mail = inbox.take();
        assert_eq!((mail.wakes, mail.calls.len()), (vec![name(1), name(2)], 1));
        inbox.wake(name(1));
        assert_eq!(unparks.load(SeqCst), 2);
    }

    #[test]
    fn wakes_of_the_same_tasks_again_and_again_do_not_fill_the_memory() {
        let (inbox, _) = open();
        let (tasks, rounds) = if cfg!(miri) { (600, 3) } else { (3000, 100) };
        for wake in 0..rounds * tasks {
            inbox.wake(name(wake * 7919 % tasks));
            assert!(inbox.lock().mail.wakes.len() <= CROWD.max(2 * tasks));
        }
        let mut wakes = inbox.take().wakes;
        wakes.sort_unstable();
        wakes.dedup();
        assert_eq!(wakes.len(), tasks, "each of them is there");
    }

    #[test]
    fn a_closed_inbox_takes_nothing_and_keeps_nothing() {
        let (inbox, unparks) = open();
        let generation = inbox.generation();
        let alive = Arc::new(());
        let held = alive.clone();
        assert!(inbox.call(generation, Box::new(move || drop(held))).is_ok());
        inbox.wake(name(1));
        inbox.close();
        assert_eq!(Arc::strong_count(&alive), 1, "what nobody has read is dropped");
        inbox.wake(name(1));
        assert!(inbox.call(generation, Box::new(|| ())).is_err());
        assert!(inbox.take().is_empty());
        assert_eq!(unparks.load(SeqCst), 1);
    }

    #[test]
    fn a_call_for_an_earlier_runtime_comes_back_and_a_wake_is_for_the_later_one() {
        let (inbox, _) = open();
        let earlier = inbox.generation();
        inbox.close();
        inbox.open(Arc::new(|| ()));
        assert!(inbox.call(earlier, Box::new(|| ())).is_err());
        inbox.wake(name(1));
        assert_eq!(inbox.take().wakes.len(), 1);
    }

    #[test]
    fn a_call_that_is_dropped_may_use_the_inbox() {
        let inbox = Arc::new(Inbox::closed());
        inbox.open(Arc::new(|| ()));
        struct Wakes(Arc<Inbox>);
        impl Drop for Wakes {
            fn drop(&mut self) {
                self.0.wake(name(1));
            }
        }
        let wakes = Wakes(inbox.clone());
        assert!(inbox.call(inbox.generation(), Box::new(move || drop(wakes))).is_ok());
        inbox.close();
        assert!(inbox.take().is_empty());
    }
}
