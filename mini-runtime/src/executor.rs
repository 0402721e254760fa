use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::slab::Slab;
use crate::task::name::{MAX_TASKS, TaskName};
use crate::task::raw::{RunQueue, State, TaskRef};

/// Stands in the name of the main future, the one that was given to `block_on`. No task is at this place.
const MAIN: usize = MAX_TASKS - 1;

/// The tasks of one runtime, and the queue of those to be polled.
///
/// Built in chapters 4, 5 and 9. What changed: the queue runs through the tasks themselves, and a waker
/// names its task instead of sharing in it.
pub(crate) struct Executor {
    runtime: usize,
    /// All tasks that are not done, each at the place that its name says.
    table: RefCell<Slab<TaskRef>>,
    queue: RunQueue,
    /// Tells the main futures of one `block_on` after the other apart.
    main_generation: Cell<u32>,
    main_woken: Cell<bool>,
    /// How many things may be ready at once for the task that is being polled.
    allowance: Cell<u32>,
}

/// How many reads, writes and connections a task gets in one poll. After that it has to wait for its next
/// turn, however much is there. Built in chapter 9, section "Steps".
const ALLOWANCE: u32 = 128;

impl Executor {
    pub(crate) fn new(runtime: usize) -> Executor {
        Executor {
            runtime,
            table: RefCell::default(),
            queue: RunQueue::default(),
            main_generation: Cell::new(0),
            main_woken: Cell::new(false),
            allowance: Cell::new(ALLOWANCE),
        }
    }

    /// How many tasks are not done.
    pub(crate) fn live(&self) -> usize {
        self.table.borrow().len()
    }

    /// Takes a new task, and queues it for its first poll.
    ///
    /// # Panics
    /// If there are as many tasks as there are names.
    pub(crate) fn spawn(&self, task: &TaskRef) {
        self.table.borrow_mut().insert_with(|key| {
            assert!(key.index() < MAIN, "there are {MAIN} tasks already");
            task.name.set(TaskName::new(self.runtime, key.index(), key.generation()));
            task.clone()
        });
        task.state.set(State::Queued);
        self.queue.push(task.clone());
    }

    // ANCHOR: wake
    /// Has a task polled. Does nothing if it is done, or queued already. Returns `false` if it is another
    /// runtime's.
    #[inline(always)]
    pub(crate) fn wake(&self, name: TaskName) -> bool {
        // SAFETY: the table is not borrowed mutably before this is over: it calls no code of others.
        let table =
            unsafe { self.table.try_borrow_unguarded() }.expect("nothing borrows it for long");
        let Some(task) = find(table, name) else { return self.wake_nobody(name) };
        if task.state.get() != State::Queued {
            task.state.set(State::Queued);
            self.queue.push(task.clone());
        }
        true
    }

    /// This name is not in the table: it is that of the main future, or that of a task which is done, or
    /// another runtime's.
    #[cold]
    fn wake_nobody(&self, name: TaskName) -> bool {
        if name == self.main_name() {
            self.main_woken.set(true);
        }
        name.runtime() == self.runtime
    }
    // ANCHOR_END: wake

    /// Polls tasks in the order in which they were queued. Returns how many: at most `most`, and fewer if no
    /// more are queued.
    pub(crate) fn run(&self, most: usize) -> usize {
        let mut polls = 0;
        while polls < most
            && let Some(task) = self.queue.pop()
        {
            self.run_task(&task);
            polls += 1;
        }
        polls
    }

    #[inline(always)]
    fn run_task(&self, task: &TaskRef) {
        if task.state.get() == State::Done {
            // It has woken itself in its last poll.
            return;
        }
        if task.is_aborted.get() {
            return self.abort(task);
        }
        // Before the poll, never after it: a wake during the poll asks for another one.
        task.state.set(State::Running);
        self.allowance.set(ALLOWANCE);
        let waker = task.name.get().waker();
        // SAFETY: the task is not done. It is polled here alone, and not again before this poll is over:
        // the queue is not run from inside of it.
        let is_done = unsafe { task.poll(&mut Context::from_waker(&waker)) };
        if is_done {
            self.finish(task);
        } else if task.state.get() == State::Running {
            task.state.set(State::Idle);
        }
    }

    #[cold]
    fn abort(&self, task: &TaskRef) {
        // SAFETY: the task is not done, and not being polled.
        unsafe { task.cancel() };
        self.finish(task);
    }

    /// The task has its output: nobody can wake it any more, and who waits for it is woken.
    fn finish(&self, task: &TaskRef) {
        task.state.set(State::Done);
        let ours = self.table.borrow_mut().remove_at(task.name.get().index());
        task.wake_joiner();
        drop(ours);
    }

    /// Whether no task is queued.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.main_woken.get()
    }

    /// A main future comes. The wakers of those before it mean nobody any more.
    pub(crate) fn begin_main(&self) {
        self.main_generation.set(self.main_generation.get().wrapping_add(1));
        self.main_woken.set(true);
    }

    fn main_name(&self) -> TaskName {
        TaskName::new(self.runtime, MAIN, self.main_generation.get())
    }

    /// Whether the main future is to be polled.
    pub(crate) fn is_main_woken(&self) -> bool {
        self.main_woken.get()
    }

    /// Polls the main future. A wake during the poll asks for another one.
    pub(crate) fn poll_main<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.main_woken.set(false);
        self.allowance.set(ALLOWANCE);
        let waker = self.main_name().waker();
        future.poll(&mut Context::from_waker(&waker))
    }

    /// Takes one from what the task that is being polled may have at once. Returns `false` if it has had all.
    pub(crate) fn spend(&self) -> bool {
        let left = self.allowance.get();
        self.allowance.set(left.saturating_sub(1));
        left > 0
    }

    /// Whether the task that is being polled may have more.
    pub(crate) fn can_spend(&self) -> bool {
        self.allowance.get() > 0
    }

    /// Ends every task, and drops their futures.
    pub(crate) fn cancel_all(&self) {
        // Dropping a future may wake other tasks, so nothing is borrowed while one is dropped.
        let tasks: Vec<TaskRef> =
            self.table.borrow().iter().map(|(_, task)| task.clone()).collect();
        for task in tasks {
            // SAFETY: tasks in the table are not done, and nothing is polled outside of `block_on`.
            unsafe { task.cancel() };
            self.finish(&task);
        }
        while let Some(task) = self.queue.pop() {
            drop(task);
        }
    }
}

// ANCHOR: get
fn find(table: &Slab<TaskRef>, name: TaskName) -> Option<&TaskRef> {
    let (_, task) = table.at(name.index())?;
    (task.name.get() == name).then_some(task)
}
// ANCHOR_END: get
