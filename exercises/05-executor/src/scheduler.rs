use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Poll;

use ch04_waker::{Schedule, Task, TaskQueue};
use futures::task::LocalFutureObj;
use trace::TaskId;

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

/// A task of this scheduler, from its spawn to its end.
struct Entry {
    task: Rc<Task>,
    state: State,
}

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
        // EXERCISE 05.1: Queued once
        todo!("05.1: queue the task, unless it is queued already or has ended");
        // END 05.1
    }
}

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
        match task.poll() {
            Poll::Pending => self.set_state(id, State::Idle),
            Poll::Ready(()) => self.forget(id),
        }
        true
    }

    /// Whether the loop may sleep.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
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
}
