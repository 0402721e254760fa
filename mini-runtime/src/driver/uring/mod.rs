//! Completion by io_uring. Built in chapters 13 and 14.

mod op;
pub(crate) mod ops;
mod setup;
mod stream;

pub(crate) use op::{Op, Operation};
pub(crate) use stream::{Streaming, StreamingOp};

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::task::Waker;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;

use crate::driver::doorbell::Doorbell;
use crate::slab::{Key, Slab};

/// The user data of what nobody waits for. No key is all ones, and none has the last index.
const NOBODY: u64 = u64::MAX;
/// The user data of the watch on the doorbell.
const BELL: u64 = u64::MAX - 1;
/// More seconds than this are no timeout: the kernel counts them with a sign.
const FOR_EVER: u64 = i64::MAX as u64;

// ANCHOR: slot
/// An operation that has not come to its end. See the states in chapter 13.
enum Slot {
    /// With the kernel, or on its way there. Holds who waits for it.
    Flying(Option<Waker>),
    /// Completed, and the future has not looked yet.
    Landed(Completion),
    /// One that goes on, and what it has brought so far.
    Streaming { waiting: Option<Waker>, brought: VecDeque<Completion>, is_over: bool },
    /// The future was dropped. Holds the operation, and what is to be done with what it brings.
    Abandoned(Box<dyn FnMut(Completion)>),
}
// ANCHOR_END: slot

/// What the kernel says of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    result: i32,
    pub(crate) flags: u32,
}

impl Completion {
    /// # Errors
    /// The operation's own.
    pub(crate) fn result(self) -> io::Result<u32> {
        // A negative result is the number of an error.
        u32::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }
}

/// A ring, and the operations that fly.
pub(crate) struct Uring {
    ring: RefCell<IoUring>,
    slots: RefCell<Slab<Slot>>,
    /// Completions that had to make room, and that nobody has heard of yet.
    taken_out: RefCell<VecDeque<cqueue::Entry>>,
    doorbell: Doorbell,
    is_bell_watched: Cell<bool>,
    /// Set when the runtime is gone: nobody waits for completions any more.
    is_closed: Cell<bool>,
}

impl Uring {
    /// # Errors
    /// With a sentence that says why, if there is no ring to be had.
    pub(crate) fn new(doorbell: Doorbell, entries: u32) -> io::Result<Uring> {
        Ok(Uring {
            ring: RefCell::new(setup::open(entries)?),
            slots: RefCell::default(),
            taken_out: RefCell::default(),
            doorbell,
            is_bell_watched: Cell::new(false),
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// Puts an operation into the submission queue. The kernel sees it at the next park.
    ///
    /// # Safety
    /// What the entry points to stays valid until the operation is completed for the last time: it is
    /// kept, or handed to `abandon`.
    unsafe fn submit(&self, entry: squeue::Entry, streams: bool) -> Key {
        let slot = if streams {
            Slot::Streaming { waiting: None, brought: VecDeque::new(), is_over: false }
        } else {
            Slot::Flying(None)
        };
        let key = self.slots.borrow_mut().insert(slot);
        let pushed = if self.is_closed.get() {
            Err(Errno::CANCELED.into())
        } else {
            // SAFETY: as the caller promises.
            unsafe { self.push(&entry.user_data(key.into())) }
        };
        if let Err(error) = pushed {
            // The kernel has not seen it, and never will.
            let result = -error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            self.complete(key, Completion { result, flags: 0 });
        }
        key
    }

    /// # Errors
    /// If the queue is full, and the kernel does not empty it. The entry is not in the queue then.
    ///
    /// # Safety
    /// What the entry points to is valid until its completion.
    unsafe fn push(&self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            let mut ring = self.ring.borrow_mut();
            // SAFETY: as the caller promises.
            if unsafe { ring.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            enter(&ring, 0, None)?;
            // A kernel whose completions nobody takes out takes no submissions. They are heard later:
            // here, a task is in the middle of something.
            self.taken_out.borrow_mut().extend(ring.completion());
        }
    }

    /// The result of an operation that has landed, which is forgotten thereby. Otherwise `waker` is woken
    /// when it lands, and nobody else.
    fn take(&self, key: Key, waker: &Waker) -> Option<Completion> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its result is taken");
        match slot {
            Slot::Landed(completion) => {
                let completion = *completion;
                slots.remove(key);
                Some(completion)
            }
            Slot::Flying(waiting) => {
                let is_known = waits(waiting, waker);
                drop(slots);
                if !is_known {
                    self.wait(key, waker);
                }
                None
            }
            _ => unreachable!("a single operation was asked"),
        }
    }

    /// The next thing that a streaming operation has brought. `None` in the `Some` if it is over.
    fn take_next(&self, key: Key, waker: &Waker) -> Option<Option<Completion>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its future is dropped");
        let Slot::Streaming { waiting, brought, is_over } = slot else {
            unreachable!("a streaming operation was asked");
        };
        if let Some(completion) = brought.pop_front() {
            return Some(Some(completion));
        }
        if *is_over {
            return Some(None);
        }
        let is_known = waits(waiting, waker);
        drop(slots);
        if !is_known {
            self.wait(key, waker);
        }
        None
    }

    /// Keeps a waker in the place of whoever waited before. Cloning the one and dropping the other may run
    /// any code, so nothing is borrowed meanwhile.
    fn wait(&self, key: Key, waker: &Waker) {
        let waker = waker.clone();
        let mut slots = self.slots.borrow_mut();
        let before = match slots.get_mut(key) {
            Some(Slot::Flying(waiting) | Slot::Streaming { waiting, .. }) => waiting.replace(waker),
            // It has come to its end meanwhile: whoever asks is to look again.
            _ => {
                drop(slots);
                waker.wake();
                return;
            }
        };
        drop(slots);
        drop(before);
    }

    /// An operation loses its future. `finish` owns what it works on, and is called with all that it still
    /// brings, now or later. The kernel is asked to give it up.
    fn abandon(&self, key: Key, mut finish: impl FnMut(Completion) + 'static) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(key) else {
            // The ring is broken, and was given up. What was lent to it is never freed.
            mem::forget(finish);
            return;
        };
        let is_over = matches!(slot, Slot::Landed(_) | Slot::Streaming { is_over: true, .. });
        let before = if is_over {
            slots.remove(key).expect("it was there a moment ago")
        } else {
            // Filled in below: what it has brought so far comes first.
            mem::replace(slot, Slot::Flying(None))
        };
        drop(slots);
        match before {
            Slot::Landed(completion) => finish(completion),
            Slot::Streaming { brought, .. } => brought.into_iter().for_each(&mut finish),
            Slot::Flying(waker) => drop(waker),
            Slot::Abandoned(_) => unreachable!("an operation has one future"),
        }
        if !is_over {
            let mut slots = self.slots.borrow_mut();
            let slot = slots.get_mut(key).expect("nothing is heard before the next park");
            *slot = Slot::Abandoned(Box::new(finish));
            drop(slots);
            self.cancel(key);
        }
    }

    fn cancel(&self, key: Key) {
        let cancel = opcode::AsyncCancel::new(key.into()).build().user_data(NOBODY);
        // SAFETY: the entry points to nothing. If it cannot be pushed, the operation comes to its end
        // without.
        let _ = unsafe { self.push(&cancel) };
    }

    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.watch_bell();
        self.enter_if_needed(timeout)?;
        self.reap();
        Ok(())
    }

    fn watch_bell(&self) {
        if self.is_bell_watched.replace(true) {
            return;
        }
        let bell = io_uring::types::Fd(self.doorbell.as_fd().as_raw_fd());
        let watch = opcode::PollAdd::new(bell, setup::POLLIN).multi(true).build().user_data(BELL);
        // SAFETY: the entry points to nothing, and the bell lives as long as the ring.
        if unsafe { self.push(&watch) }.is_err() {
            self.is_bell_watched.set(false);
        }
    }

    // ANCHOR: enter_if_needed
    fn enter_if_needed(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut ring = self.ring.borrow_mut();
        let nothing_to_wait_for = timeout == Some(Duration::ZERO)
            || !self.taken_out.borrow().is_empty()
            || !ring.completion().is_empty();
        if !nothing_to_wait_for {
            return enter(&ring, 1, timeout);
        }
        let queue = ring.submission();
        // The kernel has work for this thread, or completions that found no room.
        let calls = queue.taskrun() || queue.cq_overflow();
        if queue.is_empty() && !calls {
            return Ok(());
        }
        drop(queue);
        match enter(&ring, 0, None) {
            // The kernel is short of memory. What is in the queue stays there for the next time.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => Ok(()),
            entered => entered,
        }
    }
    // ANCHOR_END: enter_if_needed

    /// Takes out all completions, and wakes who waits for them.
    fn reap(&self) {
        loop {
            let earlier = self.taken_out.borrow_mut().pop_front();
            // One at a time, with nothing borrowed: who is woken may submit again.
            let next = earlier.or_else(|| self.ring.borrow_mut().completion().next());
            let Some(entry) = next else { return };
            match entry.user_data() {
                NOBODY => {}
                BELL => {
                    if !cqueue::more(entry.flags()) {
                        // The watch has ended. The bell is made silent, or the next would end at once.
                        self.is_bell_watched.set(false);
                        self.doorbell.hush();
                    }
                }
                key => {
                    let completion = Completion { result: entry.result(), flags: entry.flags() };
                    self.complete(key.into(), completion);
                }
            }
        }
    }

    /// Gives up all operations, and waits until none is in flight. From now on none begins any more.
    ///
    /// An operation that was abandoned holds its socket, and the socket holds the runtime. So it is not
    /// enough to wait when the runtime is freed: without this it never would be.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let slots = self.slots.borrow();
        let left: Vec<Key> = in_flight(&slots).collect();
        drop(slots);
        left.into_iter().for_each(|key| self.cancel(key));
        while in_flight(&self.slots.borrow()).next().is_some() {
            let entered = enter(&self.ring.borrow(), 1, None);
            self.reap();
            if entered.is_err() {
                // Nobody can tell any more when the kernel lets go. What it may still write to must
                // never be freed.
                mem::forget(self.slots.take());
                return;
            }
        }
    }

    fn complete(&self, key: Key, completion: Completion) {
        let is_last = !cqueue::more(completion.flags);
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its last completion");
        match slot {
            Slot::Flying(waiting) => {
                let waiting = waiting.take();
                *slot = Slot::Landed(completion);
                drop(slots);
                wake(waiting);
            }
            Slot::Streaming { waiting, brought, is_over } => {
                let waiting = waiting.take();
                brought.push_back(completion);
                *is_over = is_last;
                drop(slots);
                wake(waiting);
            }
            Slot::Abandoned(finish) => {
                // Out of the slab while it runs: it may run any code.
                let mut finish = mem::replace(finish, Box::new(|_| ()));
                if is_last {
                    slots.remove(key);
                }
                drop(slots);
                finish(completion);
                if !is_last && let Some(slot) = self.slots.borrow_mut().get_mut(key) {
                    *slot = Slot::Abandoned(finish);
                }
            }
            Slot::Landed(_) => unreachable!("a single operation is completed once"),
        }
    }
}

fn in_flight(slots: &Slab<Slot>) -> impl Iterator<Item = Key> {
    let flies = |slot: &Slot| match slot {
        Slot::Flying(_) | Slot::Abandoned(_) => true,
        Slot::Streaming { is_over, .. } => !is_over,
        Slot::Landed(_) => false,
    };
    slots.iter().filter(move |(_, slot)| flies(slot)).map(|(key, _)| key)
}

fn waits(waiting: &Option<Waker>, waker: &Waker) -> bool {
    waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker))
}

fn wake(waiting: Option<Waker>) {
    if let Some(waiting) = waiting {
        waiting.wake();
    }
}

/// The one system call.
fn enter(ring: &IoUring, want: usize, timeout: Option<Duration>) -> io::Result<()> {
    let entered = match timeout.filter(|limit| want > 0 && limit.as_secs() < FOR_EVER) {
        None => ring.submit_and_wait(want),
        Some(timeout) => {
            let limit = Timespec::from(timeout);
            ring.submitter().submit_with_args(want, &SubmitArgs::new().timespec(&limit))
        }
    };
    match entered {
        Ok(_) => Ok(()),
        Err(error) => match Errno::from_io_error(&error) {
            // A signal, the end of the timeout, or completions that have to be taken out first.
            Some(Errno::INTR | Errno::TIME | Errno::BUSY) => Ok(()),
            // The kernel is short of memory. What is in the queue stays there for the next time.
            Some(Errno::AGAIN) if want > 0 => Ok(()),
            _ => Err(error),
        },
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // All is home, unless somebody has panicked who was woken by that.
        self.close();
    }
}
