use std::os::fd::RawFd;
use std::task::Waker;

use rustc_hash::FxHashMap;
use trace::{Direction, Event, emit};

/// The slot of the task that waits to read from `fd`.
///
/// A socket can be read by one task and written by another at the same time, so each descriptor has
/// two slots. Doubling the descriptor's number makes room for both: the even key is the reader's,
/// the odd one after it the writer's.
///
/// See the section "A table of wakers" of chapter 6.
pub fn read_key(fd: RawFd) -> usize {
    // EXERCISE 06.1: Two keys for a descriptor
    todo!("06.1: the even key");
    // END 06.1
}

/// The slot of the task that waits to write to `fd`: the one after [`read_key`].
pub fn write_key(fd: RawFd) -> usize {
    // EXERCISE 06.1: Two keys for a descriptor
    todo!("06.1: the odd key");
    // END 06.1
}

/// The wakers of the tasks that wait.
#[derive(Default)]
pub(crate) struct Slots {
    wakers: FxHashMap<usize, Waker>,
}

impl Slots {
    /// Keeps a waker, and gives back the one that stood there.
    #[must_use = "dropping a waker may run any code: let the borrow of the slots end first"]
    pub(crate) fn put(&mut self, fd: RawFd, direction: Direction, waker: Waker) -> Option<Waker> {
        emit!(Event::SlotSet { fd, slot: direction });
        self.wakers.insert(key(fd, direction), waker)
    }

    /// Empties a slot.
    #[must_use = "dropping a waker may run any code: let the borrow of the slots end first"]
    pub(crate) fn take(&mut self, fd: RawFd, direction: Direction) -> Option<Waker> {
        let waker = self.wakers.remove(&key(fd, direction))?;
        emit!(Event::SlotClear { fd, slot: direction });
        Some(waker)
    }

    /// Whether somebody waits.
    pub(crate) fn has(&self, fd: RawFd, direction: Direction) -> bool {
        self.wakers.contains_key(&key(fd, direction))
    }

    /// Whether somebody waits for either direction.
    pub(crate) fn has_any(&self, fd: RawFd) -> bool {
        self.has(fd, Direction::Read) || self.has(fd, Direction::Write)
    }
}

fn key(fd: RawFd, direction: Direction) -> usize {
    match direction {
        Direction::Read => read_key(fd),
        Direction::Write => write_key(fd),
    }
}
