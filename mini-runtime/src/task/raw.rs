use std::cell::{Cell, UnsafeCell};
use std::mem::{self, MaybeUninit};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use super::name::TaskName;
use super::{JoinError, wait, wake};
use crate::cell::fill;
use crate::unwind::contain;

/// What a task is doing.
///
/// ```text
///            spawn
///              │
///              ▼      run (1)
///     ┌────▶ Queued ──────────▶ Running ──────▶ Done
///     │        ▲  wake (2)         │    done (4)
///     │        └───────────────────┤
///     │ wake (2)                   │ pending (3)
///     └──────────── Idle ◀─────────┘
/// ```
///
/// 1. `Executor::run` takes the task out of the queue, and polls it.
/// 2. `Executor::wake` puts it into the queue. One that is queued already stays where it is.
/// 3. The poll was pending, and no wake came meanwhile.
/// 4. The poll was ready, or has panicked, or the task was aborted. Its name means nobody from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Queued,
    Running,
    Done,
}

// ANCHOR: header
/// What all tasks have, whatever their future is. Only the thread of their runtime ever sees it, so
/// nothing in here is atomic.
pub(crate) struct Header {
    vtable: &'static VTable,
    /// Given by the executor that takes the task.
    pub(crate) name: Cell<TaskName>,
    pub(crate) state: Cell<State>,
    pub(crate) is_aborted: Cell<bool>,
    /// How many [`TaskRef`]s there are.
    refs: Cell<u32>,
    /// The next one in the run queue.
    next: Cell<Option<TaskRef>>,
    /// Who waits for the output.
    joiner: Cell<Option<Waker>>,
}
// ANCHOR_END: header

/// The functions that know what the future is.
struct VTable {
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    cancel: unsafe fn(NonNull<Header>),
    take_output: unsafe fn(NonNull<Header>, *mut ()),
    free: unsafe fn(NonNull<Header>),
}

// ANCHOR: task
/// The one allocation of a task.
#[repr(C)]
struct Task<F: Future> {
    /// First, so that a pointer to it is a pointer to the task.
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    /// The output was taken.
    Empty,
}
// ANCHOR_END: task

/// A counted share in a task: the executor's, the run queue's, or that of a handle.
pub(crate) struct TaskRef(NonNull<Header>);

impl TaskRef {
    /// Puts a future into a task, which is idle and has no name yet.
    pub(crate) fn new<F>(future: F) -> TaskRef
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let header = Header {
            vtable: &VTable {
                poll: poll::<F>,
                cancel: cancel::<F>,
                take_output: take_output::<F>,
                free: free::<F>,
            },
            name: Cell::new(TaskName::NOBODY),
            state: Cell::new(State::Idle),
            is_aborted: Cell::new(false),
            refs: Cell::new(1),
            next: Cell::new(None),
            joiner: Cell::new(None),
        };
        let stage = UnsafeCell::new(Stage::Future(future));
        let task = Box::leak(Box::new(Task { header, stage }));
        TaskRef(NonNull::from(task).cast())
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        self.refs.set(self.refs.get() + 1);
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        self.refs.set(self.refs.get() - 1);
        if self.refs.get() == 0 {
            // SAFETY: this was the last share.
            unsafe { (self.vtable.free)(self.0) };
        }
    }
}

impl Deref for TaskRef {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: the task lives as long as there is a share in it. Its header is only ever borrowed
        // shared: all that changes in it is in cells.
        unsafe { self.0.as_ref() }
    }
}

impl TaskRef {
    /// Polls the future. Returns whether the task has its output now: then the future was dropped.
    ///
    /// # Safety
    /// The task is not done, and is not being polled.
    pub(crate) unsafe fn poll(&self, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller's promise is the function's.
        unsafe { (self.vtable.poll)(self.0, cx) }
    }

    /// Drops the future. The output is that the task was cancelled.
    ///
    /// # Safety
    /// The task is not done, and is not being polled.
    pub(crate) unsafe fn cancel(&self) {
        // SAFETY: the caller's promise is the function's.
        unsafe { (self.vtable.cancel)(self.0) }
    }

    /// Takes the output.
    ///
    /// # Safety
    /// The task is done, `T` is the output of its future, and this is called once.
    pub(super) unsafe fn take_output<T>(&self) -> Result<T, JoinError> {
        let mut output = MaybeUninit::<Result<T, JoinError>>::uninit();
        // SAFETY: the caller's promise is the function's, and `output` is what it writes to.
        unsafe {
            (self.vtable.take_output)(self.0, output.as_mut_ptr().cast());
            output.assume_init()
        }
    }

    pub(super) fn set_joiner(&self, waker: &Waker) {
        wait(&self.joiner, waker);
    }

    /// Wakes who waits for the output, once.
    pub(crate) fn wake_joiner(&self) {
        wake(self.joiner.take());
    }

    pub(super) fn forget_joiner(&self) {
        drop(self.joiner.take());
    }
}

/// The stage of a task. Whoever uses the pointer has to be the only one that does.
fn stage_of<F: Future>(task: NonNull<Header>) -> *mut Stage<F> {
    // SAFETY: the vtable of a header is that of its own task, which is alive, and this makes a pointer
    // to a part of it, and no reference.
    unsafe { UnsafeCell::raw_get(&raw const (*task.cast::<Task<F>>().as_ptr()).stage) }
}

/// # Safety
/// As [`TaskRef::poll`], and the future of the task is an `F`.
unsafe fn poll<F: Future>(task: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    let stage = stage_of::<F>(task);
    // The future is not looked at again after a panic, so nobody sees it half-way.
    let polled = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the task is not done, so this is its future, and nobody else polls it. The handle looks
        // at the stage when the task is done, and not before.
        let Stage::Future(future) = (unsafe { &mut *stage }) else {
            unreachable!("a task that is not done has its future");
        };
        // SAFETY: the task is never moved, and the future is dropped in its place.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }));
    let output = match polled {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinError::panicked(payload)),
    };
    // SAFETY: the poll is over, and the task is not done yet.
    unsafe { settle(stage, output) };
    true
}

/// # Safety
/// As [`TaskRef::cancel`], and the future of the task is an `F`.
unsafe fn cancel<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's promise is the function's.
    unsafe { settle(stage_of::<F>(task), Err(JoinError::cancelled())) };
}

// ANCHOR: settle
/// Drops the future where it is, and puts the output in its place. A panic of that drop is the output,
/// then.
///
/// # Safety
/// The stage holds the future, and nobody else uses it.
unsafe fn settle<F: Future>(stage: *mut Stage<F>, output: Result<F::Output, JoinError>) {
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: nobody else uses the stage, and nobody looks at it before the write below.
        unsafe { ptr::drop_in_place(stage) };
    }));
    let (output, unwanted) = match dropped {
        Ok(()) => (output, None),
        Err(payload) => (Err(JoinError::panicked(payload)), Some(output)),
    };
    // SAFETY: what was there has been dropped, if only in part: it must not be dropped again.
    unsafe { ptr::write(stage, Stage::Output(output)) };
    if unwanted.is_some() {
        // After that, because this may panic as well.
        contain(|| drop(unwanted));
    }
}
// ANCHOR_END: settle

/// # Safety
/// As [`TaskRef::take_output`], the future of the task is an `F`, and `output` points to room for a
/// `Result<F::Output, JoinError>`.
unsafe fn take_output<F: Future>(task: NonNull<Header>, output: *mut ()) {
    let stage = stage_of::<F>(task);
    // SAFETY: the task is done, so nobody but its handle uses the stage.
    let stage = mem::replace(unsafe { &mut *stage }, Stage::Empty);
    let Stage::Output(taken) = stage else { unreachable!("the output is taken once") };
    // SAFETY: it points to room for that.
    unsafe { output.cast::<Result<F::Output, JoinError>>().write(taken) };
}

/// # Safety
/// The task is not used any more, and its future is an `F`.
unsafe fn free<F: Future>(task: NonNull<Header>) {
    // SAFETY: the task was made of a box of this type, and nobody else has it.
    let mut task = unsafe { Box::from_raw(task.cast::<Task<F>>().as_ptr()) };
    if !matches!(task.stage.get_mut(), Stage::Empty) {
        // An output that nobody wanted. If it panics while it is dropped, nobody wants to know that either.
        contain(|| drop(task));
    }
}

// ANCHOR: queue
/// The tasks to be polled, in the order in which they were woken. It runs through the tasks themselves,
/// so that putting one in allocates nothing.
#[derive(Default)]
pub(crate) struct RunQueue {
    first: Cell<Option<TaskRef>>,
    last: Cell<Option<NonNull<Header>>>,
}

impl RunQueue {
    /// The task is in no queue: its state says so.
    pub(crate) fn push(&self, task: TaskRef) {
        match self.last.replace(Some(task.0)) {
            // SAFETY: the last task is in the queue, which has a share in it.
            Some(last) => fill(&unsafe { last.as_ref() }.next, task),
            None => fill(&self.first, task),
        }
    }

    pub(crate) fn pop(&self) -> Option<TaskRef> {
        let task = self.first.take()?;
        match task.next.take() {
            Some(next) => fill(&self.first, next),
            None => self.last.set(None),
        }
        Some(task)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.get().is_none()
    }
}
// ANCHOR_END: queue

impl Drop for RunQueue {
    fn drop(&mut self) {
        // One after the other: each of them would drop the next one, and so on, down the stack.
        while self.pop().is_some() {}
    }
}
