use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{Builder, IoUring, Parameters, cqueue, opcode, squeue};
use nix::errno::Errno;
use trace::{Cause, Event, OpId, emit};

use crate::{Key, Op, Operation, Slab, open};

/// The user data of what nobody waits for. No key is all ones.
const NOBODY: u64 = u64::MAX;
/// More seconds than this are no timeout: the kernel counts them with a sign.
const FOR_EVER: u64 = i64::MAX as u64;

// ANCHOR: slot
/// An operation that has not come to its end.
struct Slot {
    /// Its number in the trace.
    op: OpId,
    lends: bool,
    state: State,
}

/// ```text
///            submit
///              │
///              ▼     completed (1)              polled (3)
///           Flying ────────────────▶ Landed ────────────────▶ gone
///              │                        │    dropped (4)        ▲
///              │ dropped (2)            └───────────────────────┤
///              ▼                                                │
///          Abandoned ───────────────────────────────────────────┘
///                     completed (5)
/// ```
///
/// 1. `complete` keeps the result, and wakes who waits.
/// 2. `abandon` moves the operation in here. `cancel` asks the kernel to give it up.
/// 3. `take_result` hands the result to the future, which still has the operation.
/// 4. `abandon` finishes the operation on the spot.
/// 5. `complete` finishes the operation: what it owned is freed now, and not before.
enum State {
    /// With the kernel, or on its way there. Holds who waits for it.
    Flying(Option<Waker>),
    /// Completed, and the future has not looked yet.
    Landed(io::Result<u32>),
    /// The future was dropped. Holds the operation, and what is to be done with it: nothing but a
    /// completion frees what the kernel may write to, not even a panic.
    Abandoned(ManuallyDrop<Box<dyn FnOnce(io::Result<u32>)>>),
}
// ANCHOR_END: slot

// ANCHOR: driver
/// A ring, and the operations that fly.
///
/// Dropping it cancels all operations, and waits until the last of them has come home. No future of one
/// is left then, since each holds a share of the driver.
///
/// See the section "The driver" of chapter 13.
pub struct Driver {
    ring: RefCell<IoUring>,
    slots: RefCell<Slab<Slot>>,
    /// Completions that had to make room, and that nobody has heard of yet.
    taken_out: RefCell<VecDeque<cqueue::Entry>>,
    last_op: Cell<OpId>,
    counts: Cell<Counts>,
}

/// What a driver has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `io_uring_enter`.
    pub enters: u64,
    /// Entries that were put into the submission queue.
    pub submissions: u64,
    /// Entries that were taken out of the completion queue.
    pub completions: u64,
}
// ANCHOR_END: driver

impl Driver {
    /// Makes a driver whose ring has room for `entries` operations between two calls of the kernel, and
    /// for twice as many completions.
    ///
    /// # Errors
    /// As [`open`].
    pub fn new(entries: u32) -> io::Result<Driver> {
        Driver::with_builder(IoUring::builder().setup_cqsize(entries.saturating_mul(2)), entries)
    }

    /// Makes a driver with a ring of another kind.
    ///
    /// # Errors
    /// As [`open`].
    pub fn with_builder(builder: &Builder, entries: u32) -> io::Result<Driver> {
        Ok(Driver {
            ring: RefCell::new(open(builder, entries)?),
            slots: RefCell::default(),
            taken_out: RefCell::default(),
            last_op: Cell::new(0),
            counts: Cell::default(),
        })
    }

    /// How many operations fly, or have landed and were not looked at.
    pub fn in_flight(&self) -> usize {
        self.slots.borrow().len()
    }

    /// What this driver has done so far.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// What kind of ring this is, and what the kernel can do with it.
    pub fn parameters(&self) -> Parameters {
        self.ring.borrow().params().clone()
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        add(&mut counts);
        self.counts.set(counts);
    }

    // ANCHOR: submit
    /// Puts an operation into the submission queue. The kernel sees it at the next [`wait`](Driver::wait),
    /// together with all others, or now if the queue is full.
    ///
    /// See the section "Submit late" of chapter 13.
    pub fn submit<O: Operation>(self: &Rc<Self>, mut operation: O) -> Op<O> {
        // ANCHOR: submit_body
        let entry = operation.entry();
        let op = self.last_op.get() + 1;
        self.last_op.set(op);
        let state = State::Flying(None);
        let key = self.slots.borrow_mut().insert(Slot { op, lends: O::LENDS, state });
        let entry = entry.user_data(key.into());
        emit!(Event::Sqe { op, kind: O::KIND });
        if O::LENDS {
            emit!(Event::BufferLent { op });
        }
        // SAFETY: what the entry points to is valid until the operation is dropped, as its type
        // promises. `Op` drops it when the completion has come, and otherwise `abandon` keeps it until
        // then.
        let pushed = unsafe { self.push(&entry) };
        if let Err(error) = pushed {
            // The kernel has not seen it, and never will.
            self.complete(key, Err(error));
        }
        Op::new(self.clone(), key, operation)
        // ANCHOR_END: submit_body
    }
    // ANCHOR_END: submit

    // ANCHOR: push
    /// Puts an entry into the submission queue, which the kernel has to empty first if it is full.
    ///
    /// # Errors
    /// If the queue is full, and the kernel does not empty it. The entry is not in the queue then.
    ///
    /// # Safety
    /// What the entry points to is valid until its completion.
    unsafe fn push(&self, entry: &squeue::Entry) -> io::Result<()> {
        // ANCHOR: push_body
        // SAFETY: as the caller promises.
        while unsafe { self.ring.borrow_mut().submission().push(entry) }.is_err() {
            self.enter(0, None)?;
            // A kernel whose completions nobody takes out takes no submissions. They are heard later:
            // here, a task is in the middle of something.
            self.taken_out.borrow_mut().extend(self.ring.borrow_mut().completion());
        }
        self.count(|counts| counts.submissions += 1);
        Ok(())
        // ANCHOR_END: push_body
    }
    // ANCHOR_END: push

    // ANCHOR: wait
    /// Hands the kernel what was submitted, waits until something is completed, and wakes who waits for
    /// that. Waits no longer than `timeout`; zero does not wait at all. May return early.
    ///
    /// See the section "The driver" of chapter 13. A timeout other than zero takes Linux 5.11.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        // ANCHOR: wait_body
        let returns_at_once =
            timeout == Some(Duration::ZERO) || !self.taken_out.borrow().is_empty();
        let want = if returns_at_once { 0 } else { 1 };
        match self.enter(want, timeout) {
            // The kernel is short of memory. What is in the queue stays there for the next time.
            Err(error) if errno(&error) == Some(Errno::EAGAIN) => {}
            entered => entered?,
        }
        self.reap();
        Ok(())
        // ANCHOR_END: wait_body
    }

    /// The one system call.
    fn enter(&self, want: usize, timeout: Option<Duration>) -> io::Result<()> {
        let ring = self.ring.borrow();
        self.count(|counts| counts.enters += 1);
        let entered = match timeout.filter(|limit| want > 0 && limit.as_secs() < FOR_EVER) {
            None => ring.submit_and_wait(want),
            Some(timeout) => {
                let limit = Timespec::from(timeout);
                ring.submitter().submit_with_args(want, &SubmitArgs::new().timespec(&limit))
            }
        };
        match entered {
            Ok(count) => {
                emit!(Event::Submit { count });
                Ok(())
            }
            Err(error) => match errno(&error) {
                // A signal, the end of the timeout, or completions that have to be taken out first.
                Some(Errno::EINTR | Errno::ETIME | Errno::EBUSY) => Ok(()),
                _ => Err(error),
            },
        }
    }
    // ANCHOR_END: wait

    // ANCHOR: reap
    /// Takes out all completions.
    fn reap(&self) {
        // One at a time, with nothing borrowed: whoever is woken may submit again.
        while let Some(completion) = self.next_completion() {
            self.count(|counts| counts.completions += 1);
            if completion.user_data() == NOBODY {
                continue;
            }
            let key = completion.user_data().into();
            if cqueue::more(completion.flags()) {
                self.wake(key);
            } else {
                self.complete(key, result_of(&completion));
            }
        }
    }

    fn next_completion(&self) -> Option<cqueue::Entry> {
        let earlier = self.taken_out.borrow_mut().pop_front();
        earlier.or_else(|| self.ring.borrow_mut().completion().next())
    }
    // ANCHOR_END: reap

    /// A *multishot* operation has news, and goes on. What it is about, the operation does not say.
    fn wake(&self, key: Key) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its last completion");
        let _cause = trace::caused_by(Cause::Op(slot.op));
        if let State::Flying(waker) = &mut slot.state
            && let Some(waker) = waker.take()
        {
            drop(slots);
            waker.wake();
        }
    }

    // ANCHOR: complete
    fn complete(&self, key: Key, result: io::Result<u32>) {
        // ANCHOR: complete_body
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is completed once");
        let (op, lends) = (slot.op, slot.lends);
        emit!(Event::Cqe { op, ok: result.is_ok() });
        let _cause = trace::caused_by(Cause::Op(op));
        match &mut slot.state {
            State::Flying(waker) => {
                let waker = waker.take();
                slot.state = State::Landed(result);
                drop(slots);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            State::Abandoned(_) => {
                let slot = slots.remove(key);
                drop(slots);
                if lends {
                    emit!(Event::BufferHome { op });
                }
                if let Some(Slot { state: State::Abandoned(finish), .. }) = slot {
                    ManuallyDrop::into_inner(finish)(result);
                }
            }
            State::Landed(_) => unreachable!("an operation is completed once"),
        }
        // ANCHOR_END: complete_body
    }
    // ANCHOR_END: complete

    // ANCHOR: take_result
    /// The result of an operation that has landed, which is forgotten thereby. Otherwise `waker` is
    /// woken when it lands, and nobody else.
    pub(crate) fn take_result(&self, key: Key, waker: &Waker) -> Option<io::Result<u32>> {
        // ANCHOR: take_result_body
        // Cloned before anything is borrowed, because a clone may run any code.
        let waker = waker.clone();
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its result is taken");
        if let State::Flying(waiting) = &mut slot.state {
            let replaced = waiting.replace(waker);
            drop(slots);
            drop(replaced);
            return None;
        }
        let slot = slots.remove(key)?;
        if slot.lends {
            emit!(Event::BufferHome { op: slot.op });
        }
        match slot.state {
            State::Landed(result) => Some(result),
            _ => unreachable!("an abandoned operation has no future"),
        }
        // ANCHOR_END: take_result_body
    }
    // ANCHOR_END: take_result

    // ANCHOR: abandon
    /// An operation loses its future. `finish` owns the operation, and is called when the kernel
    /// has let go of it: now, or later.
    pub(crate) fn abandon(&self, key: Key, finish: impl FnOnce(io::Result<u32>) + 'static) {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(key).expect("an operation is there until its result is taken");
        let (op, lends) = (slot.op, slot.lends);
        if let State::Flying(waker) = &mut slot.state {
            // ANCHOR: abandon_body
            let waker = waker.take();
            slot.state = State::Abandoned(ManuallyDrop::new(Box::new(finish)));
            drop(slots);
            drop(waker);
            return;
            // ANCHOR_END: abandon_body
        }
        let slot = slots.remove(key);
        drop(slots);
        if lends {
            emit!(Event::BufferHome { op });
        }
        if let Some(Slot { state: State::Landed(result), .. }) = slot {
            finish(result);
        }
    }

    /// Asks the kernel to give an operation up, if it has not landed yet. What comes of that is seen in
    /// the operation's own completion.
    pub(crate) fn cancel(&self, key: Key) {
        // ANCHOR: cancel_body
        let Some(op) = self.slots.borrow_mut().get_mut(key).map(|slot| slot.op) else { return };
        emit!(Event::OpCancel { op });
        let cancel = opcode::AsyncCancel::new(key.into()).build().user_data(NOBODY);
        // SAFETY: the entry points to nothing. If it cannot be pushed, the operation comes to its end
        // without.
        let _ = unsafe { self.push(&cancel) };
        // ANCHOR_END: cancel_body
    }
    // ANCHOR_END: abandon
}

fn result_of(completion: &cqueue::Entry) -> io::Result<u32> {
    // A negative result is the number of an error.
    u32::try_from(completion.result())
        .map_err(|_| io::Error::from_raw_os_error(-completion.result()))
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

// ANCHOR: driver_drop
impl Drop for Driver {
    fn drop(&mut self) {
        // ANCHOR: driver_drop_body
        let left: Vec<Key> = self.slots.borrow().keys().collect();
        left.into_iter().for_each(|key| self.cancel(key));
        // If the kernel refuses to wait, nobody can tell any more when it lets go. What is left is leaked
        // then, see `Abandoned`.
        while self.in_flight() > 0 && self.wait(None).is_ok() {}
        // ANCHOR_END: driver_drop_body
    }
}
// ANCHOR_END: driver_drop

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("in_flight", &self.in_flight())
            .field("counts", &self.counts.get())
            .finish_non_exhaustive()
    }
}
