use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::Poll;

use ch04_waker::{Schedule, Task, TaskQueue};
use futures::task::LocalFutureObj;
use trace::TaskId;

// ANCHOR: state
/// What a task is doing, in the eyes of the scheduler.
///
/// ```text
///            spawn
///              │
///              ▼      run (1)
///     ┌────▶ Queued ──────────▶ Running ──────▶ gone
///     │        ▲  wake (2)         │    done (4)
///     │        └───────────────────┤
///     │ wake (2)                   │ pending (3)
///     └──────────── Idle ◀─────────┘
/// ```
///
/// 1. `run_next` takes the task out of the queue and polls it.
/// 2. `schedule` is called by a waker. A task that is queued already stays where it is.
/// 3. The poll returned pending, and no wake came meanwhile.
/// 4. The poll returned ready, or panicked. The task is forgotten: later wakes find no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Queued,
    Running,
}
// ANCHOR_END: state

/// A task of this scheduler, from its spawn to its end.
struct Entry {
    task: Rc<Task>,
    state: State,
}

// ANCHOR: scheduler
/// Knows every unfinished task, and which of them are to be polled. The loop around it decides when:
/// chapter 9 puts another one there.
#[derive(Default)]
pub struct Scheduler {
    entries: RefCell<BTreeMap<TaskId, Entry>>,
    queue: TaskQueue,
    last_id: Cell<TaskId>,
}

impl Schedule for Scheduler {
    fn schedule(&self, task: Rc<Task>) {
        // ANCHOR: schedule_body
        let mut entries = self.entries.borrow_mut();
        if let Some(entry) = entries.get_mut(&task.id())
            && entry.state != State::Queued
        {
            entry.state = State::Queued;
            self.queue.push(task);
        }
        // ANCHOR_END: schedule_body
    }
}
// ANCHOR_END: scheduler

impl Scheduler {
    /// Makes a task and queues it for its first poll.
    pub fn spawn(self: &Rc<Self>, future: LocalFutureObj<'static, ()>) {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let schedule = Rc::downgrade(self);
        let task = Task::new(id, future, schedule);
        let entry = Entry { task: task.clone(), state: State::Queued };
        self.entries.borrow_mut().insert(id, entry);
        self.queue.push(task);
    }

    // ANCHOR: run_next
    /// Polls the task that was queued first. Returns `false` if none is queued.
    ///
    /// # Panics
    /// If the task panics. It has ended then, and the others are as they were.
    pub fn run_next(&self) -> bool {
        let Some(task) = self.queue.pop() else {
            return false;
        };
        let id = task.id();
        self.set_state(id, State::Running);

        // Nothing is borrowed here: the future may spawn, wake, and drop as it likes.
        let poll = catch_unwind(AssertUnwindSafe(|| task.poll()));

        match poll {
            Ok(Poll::Pending) => {
                // A wake during the poll has queued the task already.
                if self.state(id) == Some(State::Running) {
                    self.set_state(id, State::Idle);
                }
            }
            Ok(Poll::Ready(())) => self.forget(id),
            Err(panic) => {
                self.forget(id);
                resume_unwind(panic);
            }
        }
        true
    }
    // ANCHOR_END: run_next

    /// Whether the loop may sleep.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    fn state(&self, id: TaskId) -> Option<State> {
        self.entries.borrow().get(&id).map(|entry| entry.state)
    }

    fn set_state(&self, id: TaskId, state: State) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(&id) {
            entry.state = state;
        }
    }

    fn forget(&self, id: TaskId) {
        let entry = self.entries.borrow_mut().remove(&id);
        // After the borrow: this may be the task's last reference.
        drop(entry);
    }

    // ANCHOR: cancel_all
    /// Ends every task, in the order of their spawning, and drops their futures.
    pub fn cancel_all(&self) {
        // Dropping a future may wake other tasks, so no borrow is held while one is dropped.
        while let Some((_, entry)) = self.pop_entry() {
            entry.task.cancel();
        }
    }

    fn pop_entry(&self) -> Option<(TaskId, Entry)> {
        self.entries.borrow_mut().pop_first()
    }
    // ANCHOR_END: cancel_all
}
