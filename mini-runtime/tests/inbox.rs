//! The inbox by itself. `tests/model.rs` shows what happens when several threads use it at once.

#[path = "../src/inbox.rs"]
mod inbox;
#[path = "../src/unwind.rs"]
mod unwind;

/// What the file finds under the name `crate::sync`.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
}

/// What it finds under the name `crate::task::name`.
mod task {
    pub(crate) mod name {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct TaskName(pub(crate) usize);
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use inbox::Inbox;
use task::name::TaskName;

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
    inbox.wake(TaskName(1));
    inbox.wake(TaskName(2));
    assert!(inbox.call(inbox.generation(), Box::new(|| ())).is_ok());
    assert_eq!(unparks.load(SeqCst), 1);
    let mail = inbox.take().expect("something has come in");
    assert_eq!((mail.wakes, mail.calls.len()), (vec![TaskName(1), TaskName(2)], 1));
    inbox.wake(TaskName(1));
    assert_eq!(unparks.load(SeqCst), 2);
}

#[test]
fn wakes_of_the_same_tasks_again_and_again_do_not_fill_the_memory() {
    let tasks = if cfg!(miri) { 600 } else { 3000 };
    for rounds in [1, 2, 3, 100].into_iter().filter(|rounds| !cfg!(miri) || *rounds < 4) {
        let (inbox, _) = open();
        for wake in 0..rounds * tasks {
            inbox.wake(TaskName(wake * 7919 % tasks));
        }
        let mut wakes = inbox.take().expect("something has come in").wakes;
        assert!(wakes.len() <= 1024.max(2 * tasks), "{} wakes", wakes.len());
        wakes.sort_unstable();
        wakes.dedup();
        assert_eq!(wakes.len(), tasks, "each of them is there");
    }
}

#[test]
fn a_closed_inbox_takes_nothing_and_keeps_nothing() {
    let (inbox, unparks) = open();
    let generation = inbox.generation();
    let alive = Arc::new(());
    let held = alive.clone();
    assert!(inbox.call(generation, Box::new(move || drop(held))).is_ok());
    inbox.wake(TaskName(1));
    inbox.close();
    assert_eq!(Arc::strong_count(&alive), 1, "what nobody has read is dropped");
    inbox.wake(TaskName(1));
    assert!(inbox.call(generation, Box::new(|| ())).is_err());
    assert!(inbox.take().is_none());
    assert_eq!(unparks.load(SeqCst), 1);
}

#[test]
fn a_call_for_an_earlier_runtime_comes_back_and_a_wake_is_for_the_later_one() {
    let (inbox, _) = open();
    let earlier = inbox.generation();
    inbox.close();
    inbox.open(Arc::new(|| ()));
    assert!(inbox.call(earlier, Box::new(|| ())).is_err());
    inbox.wake(TaskName(1));
    assert_eq!(inbox.take().map(|mail| mail.wakes.len()), Some(1));
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_call_that_is_dropped_may_use_the_inbox() {
    let inbox = Arc::new(Inbox::closed());
    inbox.open(Arc::new(|| ()));
    let same = inbox.clone();
    let wakes = OnDrop(move || same.wake(TaskName(1)));
    assert!(inbox.call(inbox.generation(), Box::new(move || drop(wakes))).is_ok());
    inbox.close();
    assert!(inbox.take().is_none());
}

#[test]
fn a_call_that_panics_when_it_is_dropped_does_not_keep_the_others() {
    let (inbox, _) = open();
    let dropped = Arc::new(AtomicUsize::new(0));
    for number in 0..10 {
        let counts = dropped.clone();
        let guard = OnDrop(move || {
            counts.fetch_add(1, SeqCst);
            assert_ne!(number % 2, 0, "as it should");
        });
        assert!(inbox.call(inbox.generation(), Box::new(move || drop(guard))).is_ok());
    }
    inbox.close();
    assert_eq!(dropped.load(SeqCst), 10);
}
