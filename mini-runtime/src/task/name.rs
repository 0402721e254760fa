use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::{context, registry};

const INDEX_BITS: u32 = 26;
const GENERATION_BITS: u32 = 26;
const RUNTIME_BITS: u32 = 64 - INDEX_BITS - GENERATION_BITS;

/// How many runtimes a process can have at once.
pub(crate) const MAX_RUNTIMES: usize = 1 << RUNTIME_BITS;
/// How many tasks a runtime can have at once.
pub(crate) const MAX_TASKS: usize = 1 << INDEX_BITS;

/// Says which task is meant: which runtime's, at which place in its table, and how often that place was
/// used before.
///
/// This is all that a waker is. It fits into the one word that a [`RawWaker`] carries, so a waker owns
/// nothing: cloning it copies the word, dropping it does nothing, and the task is freed when it is done,
/// whoever still holds wakers. Any thread may do either at any time, because there is no memory behind
/// it to race for. A waker that comes too late finds another generation, and wakes nobody. (After 2²⁶
/// uses of one place, a generation comes again. A waker that was kept for that long wakes a stranger,
/// who looks once for nothing: a poll that nobody asked for is always allowed.)
// ANCHOR: name
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskName(u64);
// ANCHOR_END: name

impl TaskName {
    /// The name of no task: none is at the last place.
    pub(crate) const NOBODY: TaskName = TaskName(u64::MAX);

    // ANCHOR: new
    pub(crate) fn new(runtime: usize, index: usize, generation: u32) -> TaskName {
        debug_assert!(runtime < MAX_RUNTIMES && index < MAX_TASKS);
        let generation = u64::from(generation) % (1 << GENERATION_BITS);
        TaskName(
            (runtime as u64) << (INDEX_BITS + GENERATION_BITS)
                | generation << INDEX_BITS
                | index as u64,
        )
    }
    // ANCHOR_END: new

    pub(crate) fn runtime(self) -> usize {
        (self.0 >> (INDEX_BITS + GENERATION_BITS)) as usize
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize % MAX_TASKS
    }

    // ANCHOR: waker
    /// The waker of this task. It need not be dropped, so it is given in a way that it is not.
    pub(crate) fn waker(self) -> ManuallyDrop<Waker> {
        let raw = RawWaker::new(ptr::without_provenance(self.0 as usize), &VTABLE);
        // SAFETY: the word is a name, and all four functions take it for nothing else. None of them
        // follows it as a pointer, so any thread may call them, at any time, and as often as it likes.
        ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
    }
    // ANCHOR_END: waker

    // ANCHOR: wake
    /// Whose waker this is, if it is one of ours.
    pub(crate) fn of(waker: &Waker) -> Option<TaskName> {
        ptr::eq(waker.vtable(), &VTABLE).then(|| TaskName(waker.data().addr() as u64))
    }

    #[inline(always)]
    pub(crate) fn wake(self) {
        if !context::wake_here(self) {
            registry::wake_there(self);
        }
    }
    // ANCHOR_END: wake
}

// ANCHOR: vtable
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, forget);

fn clone(name: *const ()) -> RawWaker {
    RawWaker::new(name, &VTABLE)
}

fn wake(name: *const ()) {
    TaskName(name.addr() as u64).wake();
}

fn forget(_: *const ()) {}
// ANCHOR_END: vtable

const _: () = assert!(usize::BITS == 64, "a task's name takes a pointer of 64 bits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_its_three_numbers() {
        let name = TaskName::new(MAX_RUNTIMES - 1, MAX_TASKS - 1, u32::MAX);
        assert_eq!((name.runtime(), name.index()), (MAX_RUNTIMES - 1, MAX_TASKS - 1));
        let name = TaskName::new(0, 7, 1);
        assert_eq!((name.runtime(), name.index()), (0, 7));
        assert_ne!(name, TaskName::new(0, 7, 2));
    }

    #[test]
    fn wakers_of_one_task_are_equal_and_those_of_two_are_not() {
        let (one, other) = (TaskName::new(1, 1, 1), TaskName::new(1, 1, 2));
        assert!(one.waker().will_wake(&one.waker()));
        assert!(!one.waker().will_wake(&other.waker()));
    }
}
