use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;

use super::Completion;
use crate::slab::Key;
use crate::task::{wait, wake};

// ANCHOR: slot
/// Room for one operation after the other, each from its submission to its end. The slab of the ring and
/// whoever has the operation share it, so the result is looked at without asking the ring.
pub(crate) struct Slot {
    /// What the kernel carries from the submission to the completion.
    pub(super) key: Key,
    pub(super) state: Cell<State>,
    /// Who waits for the operation to land.
    pub(super) waiting: Cell<Option<Waker>>,
    /// Of those that are not just one completion for one future.
    pub(super) rare: RefCell<Option<Box<Rare>>>,
}

/// The states are those of chapter 13.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// No operation is here.
    Free,
    /// The kernel has it. The next completion is the only one, and for whoever waits.
    Flying,
    /// The kernel has it, and `rare` says what is to be done with what it brings.
    Rare,
    /// The kernel has let go of it. Stays until the future has looked.
    Landed(Completion),
}

pub(super) enum Rare {
    /// It goes on. Holds what it has brought so far, and whether that was so much that it was ended.
    Streaming { brought: VecDeque<Completion>, is_full: bool },
    /// The future was dropped. Holds the operation, and what is to be done with what it brings.
    Abandoned(Box<dyn FnMut(Completion)>),
}
// ANCHOR_END: slot

impl Slot {
    pub(super) fn new(key: Key) -> Slot {
        Slot {
            key,
            state: Cell::new(State::Free),
            waiting: Cell::new(None),
            rare: RefCell::new(None),
        }
    }

    // ANCHOR: take
    /// The result of an operation that has landed, after which the slot is free. Otherwise `waker` is woken
    /// when it lands, and nobody else.
    #[inline(always)]
    pub(in crate::driver) fn take(&self, waker: &Waker) -> Option<Completion> {
        if let State::Landed(completion) = self.state.get() {
            self.state.set(State::Free);
            return Some(completion);
        }
        self.wait(waker);
        None
    }
    // ANCHOR_END: take

    /// The next thing that a streaming operation has brought. `None` in the `Some` if it is over.
    pub(super) fn take_next(&self, waker: &Waker) -> Option<Option<Completion>> {
        let mut rare = self.rare.borrow_mut();
        let Some(Rare::Streaming { brought, .. }) = rare.as_deref_mut() else {
            unreachable!("a streaming operation was asked");
        };
        let next = brought.pop_front();
        drop(rare);
        if next.is_some() || self.has_landed() {
            return Some(next);
        }
        self.wait(waker);
        None
    }

    #[cold]
    fn wait(&self, waker: &Waker) {
        wait(&self.waiting, waker);
        if self.has_brought() || self.has_landed() {
            // Meanwhile: whoever asks is to look again.
            wake(self.waiting.take());
        }
    }

    /// Whether a streaming operation has brought something, and nobody has looked.
    fn has_brought(&self) -> bool {
        let rare = self.rare.borrow();
        matches!(rare.as_deref(), Some(Rare::Streaming { brought, .. }) if !brought.is_empty())
    }

    /// Whether it is done, and nobody has looked.
    pub(in crate::driver) fn has_landed(&self) -> bool {
        matches!(self.state.get(), State::Landed(_))
    }

    /// Whether the kernel may still work on it.
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.state.get(), State::Flying | State::Rare)
    }
}
