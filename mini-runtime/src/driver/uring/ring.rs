use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{CompletionQueue, IoUring, SubmissionQueue, cqueue, squeue};
use rustix::io::Errno;

/// More seconds than this are no timeout: the kernel counts them with a sign.
const FOR_EVER: u64 = i64::MAX as u64;

/// The two queues, and the one system call.
///
/// None of its methods calls code of others, so none is ever called in the middle of another one.
pub(super) struct Ring {
    ring: IoUring,
    /// Completions that had to make room, and that nobody has heard of yet.
    taken_out: RefCell<VecDeque<cqueue::Entry>>,
    /// Whether there may be any of these: looked at for each completion.
    is_taken_out: Cell<bool>,
}

impl Ring {
    pub(super) fn new(ring: IoUring) -> Ring {
        Ring { ring, taken_out: RefCell::default(), is_taken_out: Cell::new(false) }
    }

    #[inline(always)]
    fn submission(&self) -> SubmissionQueue<'_> {
        // SAFETY: there is no other one. A ring is used by one thread, and each method here drops the one
        // that it makes before it makes the next, or calls a method that does.
        unsafe { self.ring.submission_shared() }
    }

    #[inline(always)]
    fn completion(&self) -> CompletionQueue<'_> {
        // SAFETY: as above.
        unsafe { self.ring.completion_shared() }
    }

    /// Puts an entry into the submission queue. The kernel sees it when it is called the next time.
    ///
    /// # Errors
    /// If the queue is full, and the kernel does not empty it. The entry is not in the queue then.
    ///
    /// # Safety
    /// What the entry points to is valid until its completion.
    #[inline(always)]
    pub(super) unsafe fn push(&self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: as the caller promises.
        while unsafe { self.submission().push(entry) }.is_err() {
            self.make_room()?;
        }
        Ok(())
    }

    /// Has the kernel empty the submission queue.
    #[cold]
    fn make_room(&self) -> io::Result<()> {
        self.enter(0, None).map_err(|error| match Errno::from_io_error(&error) {
            // It is short of memory. Nobody has asked not to wait.
            Some(Errno::AGAIN) => Errno::NOMEM.into(),
            _ => error,
        })?;
        // A kernel whose completions nobody takes out takes no submissions. They are heard later: here, a
        // task is in the middle of something.
        self.taken_out.borrow_mut().extend(self.completion());
        self.is_taken_out.set(true);
        Ok(())
    }

    /// The completion that came first, of those that nobody has heard.
    #[inline(always)]
    pub(super) fn next(&self) -> Option<cqueue::Entry> {
        if self.is_taken_out.get() {
            let first = self.taken_out.borrow_mut().pop_front();
            if first.is_some() {
                return first;
            }
            self.is_taken_out.set(false);
        }
        self.completion().next()
    }

    // ANCHOR: enter_if_needed
    /// Calls the kernel, unless it has nothing to say, nothing to take, and nobody may sleep.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn enter_if_needed(&self, timeout: Option<Duration>) -> io::Result<()> {
        let nothing_to_wait_for = timeout == Some(Duration::ZERO)
            || self.is_taken_out.get()
            || !self.completion().is_empty();
        if !nothing_to_wait_for {
            return self.enter(1, timeout);
        }
        let queue = self.submission();
        // The kernel has work for this thread, or completions that found no room.
        let calls = queue.taskrun() || queue.cq_overflow();
        if queue.is_empty() && !calls {
            return Ok(());
        }
        drop(queue);
        match self.enter(0, None) {
            // The kernel is short of memory. What is in the queue stays there for the next time.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::AGAIN) => Ok(()),
            entered => entered,
        }
    }
    // ANCHOR_END: enter_if_needed

    /// Hands over what is in the queue, and has the kernel finish what can be finished without waiting.
    /// Returns whether it has taken all.
    pub(super) fn hand_over(&self) -> bool {
        self.enter(1, Some(Duration::ZERO)).is_ok() && self.submission().is_empty()
    }

    /// The one system call: hands over what is in the queue, and waits for so many completions.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(super) fn enter(&self, want: usize, timeout: Option<Duration>) -> io::Result<()> {
        let entered = match timeout.filter(|limit| want > 0 && limit.as_secs() < FOR_EVER) {
            None => self.ring.submit_and_wait(want),
            Some(timeout) => {
                let limit = Timespec::from(timeout);
                let arguments = SubmitArgs::new().timespec(&limit);
                self.ring.submitter().submit_with_args(want, &arguments)
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
}
