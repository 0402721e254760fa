//! A waker that runs code of the test in the middle of the reactor's work.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Clone,
    Wake,
    Drop,
}

type Deed = Box<dyn FnOnce()>;

thread_local! {
    static NEXT: RefCell<Option<(Moment, Deed)>> = const { RefCell::new(None) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

/// Makes a meddler. It does nothing yet.
pub fn meddler() -> Waker {
    ALIVE.set(ALIVE.get() + 1);
    // SAFETY: the four functions do not look at the pointer. What they do look at is each thread's
    // own, so it does not matter which thread calls them.
    unsafe { Waker::new(ptr::null(), &VTABLE) }
}

/// Has `deed` done once, when next a meddler of this thread is cloned, woken or dropped.
pub fn at_the_next(moment: Moment, deed: impl FnOnce() + 'static) {
    NEXT.set(Some((moment, Box::new(deed))));
}

/// Whether the deed has been done.
pub fn is_done() -> bool {
    NEXT.with_borrow(Option::is_none)
}

/// How many meddlers this thread has.
pub fn alive() -> usize {
    ALIVE.get()
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |_| {
        ALIVE.set(ALIVE.get() + 1);
        reached(Moment::Clone);
        RawWaker::new(ptr::null(), &VTABLE)
    },
    |_| {
        ALIVE.set(ALIVE.get() - 1);
        reached(Moment::Wake);
    },
    |_| reached(Moment::Wake),
    |_| {
        ALIVE.set(ALIVE.get() - 1);
        reached(Moment::Drop);
    },
);

fn reached(moment: Moment) {
    let deed = NEXT.with_borrow_mut(|next| next.take_if(|(awaited, _)| *awaited == moment));
    if let Some((_, deed)) = deed {
        deed();
    }
}
