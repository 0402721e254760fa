use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::task::name::{MAX_TASKS, TaskName};
use crate::task::raw::{RunQueue, State, TaskRef};

/// The place of the main future, the one that was given to `block_on`.
const MAIN: usize = 0;

/// The tasks of one runtime, and the queue of those to be polled.
///
/// Built in chapters 4, 5 and 9. What changed: the queue runs through the tasks themselves, and a waker
/// names its task instead of sharing in it.
pub(crate) struct Executor {
    runtime: usize,
    table: RefCell<Table>,
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
            table: RefCell::new(Table::new()),
            queue: RunQueue::default(),
            main_generation: Cell::new(0),
            main_woken: Cell::new(false),
            allowance: Cell::new(ALLOWANCE),
        }
    }

    /// How many tasks are not done.
    pub(crate) fn live(&self) -> usize {
        self.table.borrow().live
    }

    /// Takes a new task, and queues it for its first poll.
    ///
    /// # Panics
    /// If there are as many tasks as there are names.
    pub(crate) fn spawn(&self, task: &TaskRef) {
        self.table.borrow_mut().insert(self.runtime, task.clone());
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
        let Some(task) = table.get(name) else { return self.wake_nobody(name) };
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
        let ours = self.table.borrow_mut().remove(task.name.get());
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

    /// Ends every task, and drops their futures.
    pub(crate) fn cancel_all(&self) {
        // Dropping a future may wake other tasks, so nothing is borrowed while one is dropped.
        for index in 0.. {
            let Some(task) = self.table.borrow().at(index) else { break };
            let Some(task) = task else { continue };
            // SAFETY: tasks in the table are not done, and nothing is polled outside of `block_on`.
            unsafe { task.cancel() };
            self.finish(&task);
        }
        while let Some(task) = self.queue.pop() {
            drop(task);
        }
    }
}

/// All tasks that are not done, each at the place that its name says.
struct Table {
    places: Vec<Place>,
    free: Vec<usize>,
    live: usize,
}

struct Place {
    generation: u32,
    task: Option<TaskRef>,
}

impl Table {
    fn new() -> Table {
        // The first place is the main future's, and always empty.
        Table { places: vec![Place { generation: 0, task: None }], free: Vec::new(), live: 0 }
    }

    /// Gives a task its place and its name.
    fn insert(&mut self, runtime: usize, task: TaskRef) {
        let index = self.free.pop().unwrap_or_else(|| {
            assert!(self.places.len() < MAX_TASKS, "there are {MAX_TASKS} tasks already");
            self.places.push(Place { generation: 0, task: None });
            self.places.len() - 1
        });
        let place = &mut self.places[index];
        task.name.set(TaskName::new(runtime, index, place.generation));
        place.task = Some(task);
        self.live += 1;
    }

    // ANCHOR: get
    fn get(&self, name: TaskName) -> Option<&TaskRef> {
        self.places.get(name.index())?.task.as_ref().filter(|task| task.name.get() == name)
    }
    // ANCHOR_END: get

    fn remove(&mut self, name: TaskName) -> Option<TaskRef> {
        let place = &mut self.places[name.index()];
        let task = place.task.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(name.index());
        self.live -= 1;
        Some(task)
    }

    /// What is at a place, if there is such a place.
    fn at(&self, index: usize) -> Option<Option<TaskRef>> {
        self.places.get(index).map(|place| place.task.clone())
    }
}
