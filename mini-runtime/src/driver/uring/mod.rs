//! Completion by io_uring. Built in chapters 13 and 14.

mod ring;
mod setup;
mod slot;
mod stream;

pub(crate) use slot::Slot;
pub(crate) use stream::{Streaming, StreamingOp};

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use io_uring::{cqueue, opcode, squeue};
use rustix::io::Errno;

use self::ring::Ring;
use self::slot::{Rare, State};
use crate::cell::fill;
use crate::driver::doorbell::Doorbell;
use crate::slab::{Key, Slab};
use crate::task::wake;

/// The user data of what nobody waits for. Keys are less than this and the next one: none has so high an index.
const NOBODY: u64 = u64::MAX;
/// The user data of the watch on the doorbell.
const BELL: u64 = u64::MAX - 1;

/// How many things a streaming operation brings that nobody fetches, before it is ended. Whoever has
/// fetched them all begins anew.
const MAX_BROUGHT: usize = 128;

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
    ring: Ring,
    /// Nothing is woken, cloned or dropped while this is borrowed.
    slots: RefCell<Slab<Rc<Slot>>>,
    doorbell: Doorbell,
    is_bell_watched: Cell<bool>,
    /// What is to be cancelled as soon as the kernel has memory for that again.
    uncancelled: RefCell<Vec<Key>>,
    /// Set when the runtime is gone: nobody waits for completions any more.
    is_closed: Cell<bool>,
}

impl Uring {
    /// # Errors
    /// With a sentence that says why, if there is no ring to be had.
    pub(crate) fn new(doorbell: Doorbell, entries: u32) -> io::Result<Uring> {
        Ok(Uring {
            ring: Ring::new(setup::open(entries)?),
            slots: RefCell::default(),
            doorbell,
            is_bell_watched: Cell::new(false),
            uncancelled: RefCell::default(),
            is_closed: Cell::new(false),
        })
    }

    pub(crate) fn doorbell(&self) -> &Doorbell {
        &self.doorbell
    }

    /// How many operations have not come to their end.
    pub(crate) fn slots(&self) -> usize {
        let slots = self.slots.borrow();
        slots.iter().filter(|(_, slot)| slot.is_in_flight() || slot.has_landed()).count()
    }

    /// Room for operations.
    #[cold]
    pub(in crate::driver) fn new_slot(&self) -> Rc<Slot> {
        self.slots.borrow_mut().insert_with(|key| Rc::new(Slot::new(key))).1.clone()
    }

    /// Nobody needs a slot any more.
    #[cold]
    pub(crate) fn free(&self, slot: &Slot) {
        debug_assert!(!slot.is_in_flight(), "the kernel still works on it");
        let slot = self.slots.borrow_mut().remove(slot.key);
        drop(slot);
    }

    // ANCHOR: submit
    /// Puts an operation into the submission queue, and into a slot that is free. The kernel sees it at the
    /// next park. `waker` is woken when it lands, and nobody else.
    ///
    /// # Errors
    /// If the kernel has not seen it, and never will. The slot is free.
    ///
    /// # Safety
    /// What the entry points to stays valid until the operation is completed for the last time: it is
    /// kept, or handed to `abandon`.
    #[inline(always)]
    pub(in crate::driver) unsafe fn submit(
        &self,
        entry: squeue::Entry,
        slot: &Slot,
        waker: Waker,
    ) -> Result<(), Errno> {
        if self.is_closed.get() {
            return Err(Errno::CANCELED);
        }
        // SAFETY: as the caller promises.
        let pushed = unsafe { self.ring.push(&entry.user_data(slot.key.into())) };
        if let Err(error) = pushed {
            return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
        }
        slot.state.set(State::Flying);
        fill(&slot.waiting, waker);
        Ok(())
    }
    // ANCHOR_END: submit

    /// As `submit`, for an operation that goes on.
    ///
    /// # Errors
    /// As `submit`.
    ///
    /// # Safety
    /// As `submit`.
    unsafe fn submit_streaming(
        &self,
        entry: squeue::Entry,
        waker: Waker,
    ) -> Result<Rc<Slot>, Errno> {
        let slot = self.new_slot();
        // SAFETY: as the caller promises.
        if let Err(error) = unsafe { self.submit(entry, &slot, waker) } {
            self.free(&slot);
            return Err(error);
        }
        slot.state.set(State::Rare);
        let streaming = Rare::Streaming { brought: VecDeque::new(), is_full: false };
        slot.rare.replace(Some(Box::new(streaming)));
        Ok(slot)
    }

    /// An operation loses its future. `finish` owns what it works on, and is called with all that it still
    /// brings, now or later. The kernel is asked to give it up.
    pub(in crate::driver) fn abandon(
        &self,
        slot: &Slot,
        mut finish: impl FnMut(Completion) + 'static,
    ) {
        let waiting = slot.waiting.take();
        // What it has brought so far comes first.
        let rare = slot.rare.take();
        if let Some(Rare::Streaming { brought, .. }) = rare.as_deref() {
            brought.iter().copied().for_each(&mut finish);
        } else if let State::Landed(completion) = slot.state.get() {
            finish(completion);
        }
        if slot.is_in_flight() {
            slot.rare.replace(Some(Box::new(Rare::Abandoned(Box::new(finish)))));
            slot.state.set(State::Rare);
            self.cancel(slot.key);
        } else {
            self.free(slot);
        }
        // After the operation is where it stays alive: dropping a waker may run any code, and may panic.
        drop(waiting);
    }

    /// Asks the kernel to give an operation up, now or at the next park.
    fn cancel(&self, key: Key) {
        self.uncancelled.borrow_mut().push(key);
        self.cancel_all();
    }

    fn cancel_all(&self) {
        self.uncancelled.borrow_mut().retain(|key| {
            let cancel = opcode::AsyncCancel::new((*key).into()).build().user_data(NOBODY);
            // SAFETY: the entry points to nothing.
            unsafe { self.ring.push(&cancel) }.is_err()
        });
    }

    pub(crate) fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // Who could not hear the bell must not sleep.
        let timeout = if self.watch_bell() { timeout } else { Some(Duration::ZERO) };
        self.cancel_all();
        self.ring.enter_if_needed(timeout)?;
        self.reap();
        Ok(())
    }

    /// Hands over what is in the queue, and has the kernel finish what can be finished without waiting.
    /// Returns whether it has taken all: then it has a share of its own in each file that was named, and
    /// the numbers of the descriptors are of no interest to it any more.
    pub(crate) fn hand_over(&self) -> bool {
        self.ring.hand_over()
    }

    /// Whether it is watched now.
    fn watch_bell(&self) -> bool {
        if self.is_bell_watched.get() {
            return true;
        }
        let bell = io_uring::types::Fd(self.doorbell.as_fd().as_raw_fd());
        let watch = opcode::PollAdd::new(bell, setup::POLLIN).multi(true).build().user_data(BELL);
        // SAFETY: the entry points to nothing, and the bell lives as long as the ring.
        let pushed = unsafe { self.ring.push(&watch) };
        self.is_bell_watched.set(pushed.is_ok());
        pushed.is_ok()
    }

    // ANCHOR: reap
    /// Takes out all completions, one after the other, and wakes who waits for them.
    fn reap(&self) {
        while let Some(entry) = self.ring.next() {
            let completion = Completion { result: entry.result(), flags: entry.flags() };
            match entry.user_data() {
                key if key < BELL => self.land(key.into(), completion),
                BELL => self.hear_bell(completion),
                _ => {}
            }
        }
    }

    #[inline(always)]
    fn land(&self, key: Key, completion: Completion) {
        // SAFETY: the slab is not borrowed mutably before the slot was looked at for the last time: until
        // somebody is woken, nothing but cells is read and written.
        let slots =
            unsafe { self.slots.try_borrow_unguarded() }.expect("nothing borrows it for long");
        let slot = slots.get(key).expect("a slot stays until the last completion");
        if let State::Rare = slot.state.get() {
            let slot = slot.clone();
            return self.land_rare(&slot, completion);
        }
        slot.state.set(State::Landed(completion));
        // Who is woken may submit again.
        wake(slot.waiting.take());
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

    #[cold]
    fn land_rare(&self, slot: &Slot, completion: Completion) {
        let is_last = !cqueue::more(completion.flags);
        let mut rare = slot.rare.borrow_mut();
        match rare.as_deref_mut().expect("its state says so") {
            Rare::Streaming { brought, is_full } => {
                if !(*is_full && is_last && completion.is_cancelled()) {
                    brought.push_back(completion);
                }
                let fills = !*is_full && !is_last && brought.len() >= MAX_BROUGHT;
                *is_full |= fills;
                drop(rare);
                if is_last {
                    slot.state.set(State::Landed(completion));
                }
                if fills {
                    self.cancel(slot.key);
                }
                // Whoever comes back for it leaves a waker again.
                wake(slot.waiting.take());
            }
            Rare::Abandoned(finish) => {
                // Out of the slot while it runs: it may run any code.
                let mut finish = mem::replace(finish, Box::new(|_| ()));
                drop(rare);
                if is_last {
                    slot.state.set(State::Free);
                    self.free(slot);
                }
                finish(completion);
                if !is_last {
                    slot.rare.replace(Some(Box::new(Rare::Abandoned(finish))));
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
        let in_flight = slots.iter().filter(|(_, slot)| slot.is_in_flight()).map(|(key, _)| key);
        self.uncancelled.replace(in_flight.collect());
        drop(slots);
        while self.has_in_flight() {
            // Again, if the kernel was short of memory: nobody else would end what waits for a peer.
            self.cancel_all();
            let entered = self.ring.enter(1, None);
            self.reap();
            if entered.is_err() {
                // Nobody can tell any more when the kernel lets go. What it may still write to stays here.
                return;
            }
        }
    }

    fn has_in_flight(&self) -> bool {
        self.slots.borrow().iter().any(|(_, slot)| slot.is_in_flight())
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // All is home, unless the kernel has refused to wait. What it may still write to is never freed.
        if self.has_in_flight() {
            mem::forget(self.slots.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::os::unix::net::UnixStream as Peer;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::{Pin, pin};
    use std::ptr;
    use std::task::{Context, Poll, RawWakerVTable};

    use super::*;
    use crate::driver::Driver;
    use crate::io::AsyncReadOwned;
    use crate::net::UnixStream;
    use crate::task::yield_now;
    use crate::{Builder, DriverKind, context};

    /// A waker that panics when it is cloned.
    fn bomb() -> Waker {
        const VTABLE: RawWakerVTable =
            RawWakerVTable::new(|_| panic!("as it should"), |_| (), |_| (), |_| ());

        // SAFETY: the functions use no data.
        unsafe { Waker::new(ptr::null(), &VTABLE) }
    }

    /// How many slots the runtime of this thread has, free ones too.
    fn slots() -> usize {
        match &context::current().driver {
            Driver::Uring(uring) => uring.slots.borrow().len(),
            Driver::Epoll(_) => unreachable!("the test has asked for a ring"),
        }
    }

    async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri knows no io_uring")]
    fn a_socket_keeps_one_slot_for_each_direction_and_gives_back_all_others() {
        conformance::watch(|| {
            let runtime = match Builder::new().driver(DriverKind::IoUring).build() {
                Ok(runtime) => runtime,
                Err(error) => return conformance::skip(format_args!("no io_uring here: {error}")),
            };
            runtime.block_on(async {
                let (stream, mut peer) = Peer::pair().expect("descriptors are left");
                let stream = UnixStream::from_std(stream).expect("it is a socket");
                let read = || Box::pin(stream.read(Vec::with_capacity(1)));
                // Two at once: the second finds nothing that was kept.
                let (mut one, mut two) = (read(), read());
                assert!(poll_once(one.as_mut()).await.is_pending());
                assert!(poll_once(two.as_mut()).await.is_pending());
                assert_eq!(slots(), 2);
                io::Write::write_all(&mut peer, b"12").expect("it is connected");
                assert_eq!((one.await.0.is_ok(), two.await.0.is_ok()), (true, true));
                assert_eq!(slots(), 1);
                // One that was never begun, because its waker panics.
                let polled = catch_unwind(AssertUnwindSafe(|| {
                    pin!(read()).poll(&mut Context::from_waker(&bomb())).is_ready()
                }));
                assert!(polled.is_err());
                assert!(pin!(read()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
                assert_eq!(slots(), 1, "what was kept is used again");
                // The kernel lets go of it.
                while slots() > 0 {
                    yield_now().await;
                }
                io::Write::write_all(&mut peer, b"3").expect("it is connected");
                assert!(read().await.0.is_ok());
                assert_eq!(slots(), 1);
                drop(stream);
                assert_eq!(slots(), 0);
            });
        });
    }
}
