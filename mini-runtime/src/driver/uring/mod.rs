//! Completion by io_uring. Built in chapters 13 and 14.

mod setup;
mod stream;

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
use crate::task::wake;

/// The user data of what nobody waits for. No key is all ones, and none has the last index.
const NOBODY: u64 = u64::MAX;
/// The user data of the watch on the doorbell.
const BELL: u64 = u64::MAX - 1;
/// More seconds than this are no timeout: the kernel counts them with a sign.
const FOR_EVER: u64 = i64::MAX as u64;

/// How many things a streaming operation brings that nobody fetches, before it is ended. Whoever has
/// fetched them all begins anew.
const MAX_BROUGHT: usize = 128;

// ANCHOR: slot
/// An operation that has not come to its end.
///
/// It *flies* until there is a completion, and has *landed* until the future has looked. The states are
/// those of chapter 13.
struct Slot {
    /// Who waits for it.
    waiting: Option<Waker>,
    /// Of one that has landed.
    completion: Option<Completion>,
    /// Of those that are not just one completion for one future.
    rare: Option<Box<Rare>>,
}

enum Rare {
    /// It goes on. Holds what it has brought so far, and whether that was so much that it was ended.
    Streaming { brought: VecDeque<Completion>, is_full: bool, is_over: bool },
    /// The future was dropped. Holds the operation, and what is to be done with what it brings.
    Abandoned(Box<dyn FnMut(Completion)>),
}
// ANCHOR_END: slot

/// What the kernel says of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Completion {
    /// A negative one is the number of an error.
    pub(crate) result: i32,
    pub(crate) flags: u32,
}

impl Completion {
    /// Of an operation that the kernel never saw.
    fn failed(error: Errno) -> Completion {
        Completion { result: -error.raw_os_error(), flags: 0 }
    }

    /// # Errors
    /// The operation's own.
    pub(crate) fn result(self) -> io::Result<u32> {
        u32::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }

    fn is_cancelled(self) -> bool {
        self.result == -Errno::CANCELED.raw_os_error()
    }
}

/// A ring, and the operations that fly.
pub(crate) struct Uring {
    flights: RefCell<Flights>,
    doorbell: Doorbell,
    is_bell_watched: Cell<bool>,
    /// Set when the runtime is gone: nobody waits for completions any more.
    is_closed: Cell<bool>,
}

/// What is borrowed together. Nothing is woken, cloned or dropped meanwhile that may run foreign code.
struct Flights {
    ring: IoUring,
    slots: Slab<Slot>,
    /// Completions that had to make room, and that nobody has heard of yet.
    taken_out: VecDeque<cqueue::Entry>,
}

impl Flights {
    /// # Errors
    /// If the queue is full, and the kernel does not empty it. The entry is not in the queue then.
    ///
    /// # Safety
    /// What the entry points to is valid until its completion.
    #[inline]
    unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: as the caller promises.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.make_room()?;
        }
        Ok(())
    }

    /// Has the kernel empty the submission queue.
    #[cold]
    fn make_room(&mut self) -> io::Result<()> {
        enter(&self.ring, 0, None)?;
        // A kernel whose completions nobody takes out takes no submissions. They are heard later: here, a
        // task is in the middle of something.
        self.taken_out.extend(self.ring.completion());
        Ok(())
    }

    // ANCHOR: enter_if_needed
    /// Calls the kernel, unless it has nothing to say, nothing to take, and nobody may sleep.
    fn enter_if_needed(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let nothing_to_wait_for = timeout == Some(Duration::ZERO)
            || !self.taken_out.is_empty()
            || !self.ring.completion().is_empty();
        if !nothing_to_wait_for {
            return enter(&self.ring, 1, timeout);
        }
        let queue = self.ring.submission();
        // The kernel has work for this thread, or completions that found no room.
        let calls = queue.taskrun() || queue.cq_overflow();
        if queue.is_empty() && !calls {
            return Ok(());
        }
        drop(queue);
        match enter(&self.ring, 0, None) {
            // The kernel is short of memory. What is in the queue stays there for the next time.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => Ok(()),
            entered => entered,
        }
    }
    // ANCHOR_END: enter_if_needed

    #[inline]
    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        if self.taken_out.is_empty() {
            self.ring.completion().next()
        } else {
            self.taken_out.pop_front()
        }
    }
}

impl Uring {
    /// # Errors
    /// With a sentence that says why, if there is no ring to be had.
    pub(crate) fn new(doorbell: Doorbell, entries: u32) -> io::Result<Uring> {
        let flights = Flights {
            ring: setup::open(entries)?,
            slots: Slab::default(),
            taken_out: VecDeque::new(),
        };
        Ok(Uring {
            flights: RefCell::new(flights),
            doorbell,
            is_bell_watched: Cell::new(false),
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// How many operations have not come to their end.
    pub(crate) fn slots(&self) -> usize {
        self.flights.borrow().slots.len()
    }

    // ANCHOR: submit
    /// Puts an operation into the submission queue. The kernel sees it at the next park. `waker` is woken
    /// when the operation lands, and nobody else.
    ///
    /// # Errors
    /// If the kernel has not seen it, and never will.
    ///
    /// # Safety
    /// What the entry points to stays valid until the operation is completed for the last time: it is
    /// kept, or handed to `abandon`.
    #[inline(always)]
    pub(in crate::driver) unsafe fn submit(
        &self,
        mut entry: squeue::Entry,
        waker: Waker,
        streams: bool,
    ) -> Result<Key, Errno> {
        if self.is_closed.get() {
            return Err(Errno::CANCELED);
        }
        let rare = streams.then(|| {
            let brought = VecDeque::new();
            Box::new(Rare::Streaming { brought, is_full: false, is_over: false })
        });
        let mut flights = self.flights.borrow_mut();
        let slot = || Slot { waiting: Some(waker), completion: None, rare };
        let key = flights.slots.insert_with(slot);
        entry.set_user_data(key.into());
        // SAFETY: as the caller promises.
        match unsafe { flights.push(&entry) } {
            Ok(()) => Ok(key),
            Err(error) => {
                drop(flights);
                self.forget(key);
                Err(Errno::from_io_error(&error).unwrap_or(Errno::IO))
            }
        }
    }
    // ANCHOR_END: submit

    #[cold]
    fn forget(&self, key: Key) {
        let slot = self.flights.borrow_mut().slots.remove(key);
        drop(slot);
    }

    /// The result of an operation that has landed, which is forgotten thereby. Otherwise `waker` is woken
    /// when it lands, and nobody else.
    #[inline(always)]
    pub(in crate::driver) fn take(&self, key: Key, waker: &Waker) -> Option<Completion> {
        let mut flights = self.flights.borrow_mut();
        let slot = flights.slots.get_mut(key);
        let slot = slot.expect("an operation is there until its result is taken");
        let completion = slot.completion;
        if completion.is_none() {
            drop(flights);
            self.wait(key, waker);
            return None;
        }
        // Nobody waits for it any more, so this runs no foreign code.
        flights.slots.clear(key);
        completion
    }

    /// Whether an operation has landed.
    pub(in crate::driver) fn has_landed(&self, key: Key) -> bool {
        let mut flights = self.flights.borrow_mut();
        flights.slots.get_mut(key).is_some_and(|slot| slot.completion.is_some())
    }

    /// The next thing that a streaming operation has brought. `None` in the `Some` if it is over.
    fn take_next(&self, key: Key, waker: &Waker) -> Option<Option<Completion>> {
        let mut flights = self.flights.borrow_mut();
        let slot = flights.slots.get_mut(key);
        let slot = slot.expect("an operation is there until its future is dropped");
        let Some(Rare::Streaming { brought, is_over, .. }) = slot.rare.as_deref_mut() else {
            unreachable!("a streaming operation was asked");
        };
        if let Some(completion) = brought.pop_front() {
            return Some(Some(completion));
        }
        if *is_over {
            return Some(None);
        }
        drop(flights);
        self.wait(key, waker);
        None
    }

    /// Keeps a waker in the place of whoever waited before. Cloning the one and dropping the other may run
    /// any code, so nothing is borrowed meanwhile.
    #[cold]
    fn wait(&self, key: Key, waker: &Waker) {
        let mut flights = self.flights.borrow_mut();
        if flights.slots.get_mut(key).is_some_and(|slot| slot.waits(waker)) {
            return;
        }
        drop(flights);
        let waker = waker.clone();
        let mut flights = self.flights.borrow_mut();
        let slot = flights.slots.get_mut(key);
        let Some(slot) = slot.filter(|slot| !slot.is_over()) else {
            // It has come to its end meanwhile: whoever asks is to look again.
            drop(flights);
            waker.wake();
            return;
        };
        let before = slot.waiting.replace(waker);
        drop(flights);
        drop(before);
    }

    /// An operation loses its future. `finish` owns what it works on, and is called with all that it still
    /// brings, now or later. The kernel is asked to give it up.
    pub(in crate::driver) fn abandon(
        &self,
        key: Key,
        mut finish: impl FnMut(Completion) + 'static,
    ) {
        let mut flights = self.flights.borrow_mut();
        let slot = flights.slots.get_mut(key);
        let slot = slot.expect("an operation is there until its future is dropped");
        let waiting = slot.waiting.take();
        let rare = slot.rare.take();
        let completion = slot.completion;
        let is_over = match rare.as_deref() {
            Some(Rare::Streaming { is_over, .. }) => *is_over,
            Some(Rare::Abandoned(_)) => unreachable!("an operation has one future"),
            None => completion.is_some(),
        };
        if is_over {
            flights.slots.clear(key);
        }
        drop(flights);
        // What it has brought so far comes first.
        completion.into_iter().for_each(&mut finish);
        if let Some(Rare::Streaming { brought, .. }) = rare.map(|rare| *rare) {
            brought.into_iter().for_each(&mut finish);
        }
        if !is_over {
            let mut flights = self.flights.borrow_mut();
            let slot = flights.slots.get_mut(key).expect("nothing is heard before the next park");
            slot.rare = Some(Box::new(Rare::Abandoned(Box::new(finish))));
            drop(flights);
            let _ = self.cancel(key);
        }
        // After the operation is where it stays alive: dropping a waker may run any code, and may panic.
        drop(waiting);
    }

    /// # Errors
    /// If the kernel takes nothing now. The operation comes to its end without, or is cancelled later.
    fn cancel(&self, key: Key) -> io::Result<()> {
        let cancel = opcode::AsyncCancel::new(key.into()).build().user_data(NOBODY);
        // SAFETY: the entry points to nothing.
        unsafe { self.flights.borrow_mut().push(&cancel) }
    }

    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // Who could not hear the bell must not sleep.
        let timeout = if self.watch_bell() { timeout } else { Some(Duration::ZERO) };
        self.flights.borrow_mut().enter_if_needed(timeout)?;
        self.reap();
        Ok(())
    }

    /// Hands over what is in the queue, and has the kernel finish what can be finished without waiting.
    /// Returns whether it has taken all: then it has a share of its own in each file that was named, and
    /// the numbers of the descriptors are of no interest to it any more.
    pub(crate) fn hand_over(&self) -> bool {
        let mut flights = self.flights.borrow_mut();
        let entered = enter(&flights.ring, 1, Some(Duration::ZERO));
        entered.is_ok() && flights.ring.submission().is_empty()
    }

    /// Whether it is watched now.
    fn watch_bell(&self) -> bool {
        if self.is_bell_watched.get() {
            return true;
        }
        let bell = io_uring::types::Fd(self.doorbell.as_fd().as_raw_fd());
        let watch = opcode::PollAdd::new(bell, setup::POLLIN).multi(true).build().user_data(BELL);
        // SAFETY: the entry points to nothing, and the bell lives as long as the ring.
        let pushed = unsafe { self.flights.borrow_mut().push(&watch) };
        self.is_bell_watched.set(pushed.is_ok());
        pushed.is_ok()
    }

    // ANCHOR: reap
    /// Takes out all completions, and wakes who waits for them.
    fn reap(&self) {
        loop {
            let mut flights = self.flights.borrow_mut();
            let Some(entry) = flights.next_completion() else { return };
            let completion = Completion { result: entry.result(), flags: entry.flags() };
            match entry.user_data() {
                NOBODY => {}
                BELL => {
                    drop(flights);
                    self.hear_bell(completion);
                }
                key => {
                    let slot = flights.slots.get_mut(key.into());
                    let slot = slot.expect("an operation is there until its last completion");
                    if slot.rare.is_some() {
                        drop(flights);
                        self.complete_rare(key.into(), completion);
                    } else {
                        slot.completion = Some(completion);
                        let waiting = slot.waiting.take();
                        // Who is woken may submit again.
                        drop(flights);
                        wake(waiting);
                    }
                }
            }
        }
    }
    // ANCHOR_END: reap

    #[cold]
    fn hear_bell(&self, completion: Completion) {
        if !cqueue::more(completion.flags) {
            // The watch has ended. The bell is made silent, or the next would end at once.
            self.is_bell_watched.set(false);
            self.doorbell.hush();
        }
    }

    /// Gives up all operations, and waits until none is in flight. From now on none begins any more.
    ///
    /// An operation that was abandoned holds its socket, and the socket holds the runtime. So it is not
    /// enough to wait when the runtime is freed: without this it never would be.
    pub(crate) fn close(&self) {
        self.is_closed.set(true);
        let flights = self.flights.borrow();
        let mut left: Vec<Key> = in_flight(&flights.slots).collect();
        drop(flights);
        while in_flight(&self.flights.borrow().slots).next().is_some() {
            // Again, if the kernel was short of memory: nobody else would end what waits for a peer.
            left.retain(|key| self.cancel(*key).is_err());
            let entered = enter(&self.flights.borrow().ring, 1, None);
            self.reap();
            if entered.is_err() {
                // Nobody can tell any more when the kernel lets go. What it may still write to stays here.
                return;
            }
        }
    }

    #[cold]
    fn complete_rare(&self, key: Key, completion: Completion) {
        let is_last = !cqueue::more(completion.flags);
        let mut flights = self.flights.borrow_mut();
        let slot = flights.slots.get_mut(key).expect("the caller has found it");
        match slot.rare.as_deref_mut().expect("the caller has looked") {
            Rare::Streaming { brought, is_full, is_over } => {
                *is_over = is_last;
                if !(*is_full && is_last && completion.is_cancelled()) {
                    brought.push_back(completion);
                }
                let fills = !*is_full && !is_last && brought.len() >= MAX_BROUGHT;
                *is_full |= fills;
                // Whoever comes back for it leaves a waker again.
                let waiting = slot.waiting.take();
                drop(flights);
                if fills {
                    let _ = self.cancel(key);
                }
                wake(waiting);
            }
            Rare::Abandoned(finish) => {
                // Out of the slab while it runs: it may run any code.
                let mut finish = mem::replace(finish, Box::new(|_| ()));
                if is_last {
                    flights.slots.clear(key);
                }
                drop(flights);
                finish(completion);
                if !is_last && let Some(slot) = self.flights.borrow_mut().slots.get_mut(key) {
                    slot.rare = Some(Box::new(Rare::Abandoned(finish)));
                }
            }
        }
    }
}

impl Slot {
    fn waits(&self, waker: &Waker) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.will_wake(waker))
    }

    /// Whether the kernel has let go of it, and says nothing more.
    fn is_over(&self) -> bool {
        match self.rare.as_deref() {
            None => self.completion.is_some(),
            Some(Rare::Streaming { is_over, .. }) => *is_over,
            Some(Rare::Abandoned(_)) => false,
        }
    }
}

fn in_flight(slots: &Slab<Slot>) -> impl Iterator<Item = Key> {
    slots.iter().filter(|(_, slot)| !slot.is_over()).map(|(key, _)| key)
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
        // All is home, unless the kernel has refused to wait. What it may still write to is never freed.
        let slots = &mut self.flights.get_mut().slots;
        if in_flight(slots).next().is_some() {
            mem::forget(mem::take(slots));
        }
    }
}
