use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use trace::{Event, emit};

use crate::{Schedule, Task};

/// The tasks that were woken, oldest first.
///
/// See the section "Who holds a task" of chapter 4.
#[derive(Debug, Default)]
pub struct TaskQueue {
    tasks: RefCell<VecDeque<Rc<Task>>>,
}

impl TaskQueue {
    /// Puts a task at the end.
    pub fn push(&self, task: Rc<Task>) {
        emit!(Event::Enqueue { task: task.id() });
        self.tasks.borrow_mut().push_back(task);
    }

    /// Takes the task that has waited longest.
    pub fn pop(&self) -> Option<Rc<Task>> {
        self.tasks.borrow_mut().pop_front()
    }

    /// How many tasks wait.
    pub fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Whether no task waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Polls the queued tasks, and those that are queued meanwhile, until none is left. Returns how
    /// often a task was taken from the queue.
    ///
    /// # Panics
    /// If a task panics. That task has ended then; the others are still queued.
    pub fn run(&self) -> usize {
        let mut taken = 0;
        while let Some(task) = self.tasks.borrow_mut().pop_front() {
            taken += 1;
            // A task that is pending now belongs to its wakers. If there are none, it ends here.
            let _ = task.poll();
        }
        taken
    }
}

impl Schedule for TaskQueue {
    fn schedule(&self, task: Rc<Task>) {
        self.push(task);
    }
}
