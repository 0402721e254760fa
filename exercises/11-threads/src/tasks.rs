use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ch09_fairness::Tasks;
use futures::task::LocalFutureObj;
use scoped_tls::scoped_thread_local;
use trace::{Cause, Event, PollResult, TaskId, emit};

use crate::header::{Header, Message};
use crate::inbox::Inbox;

scoped_thread_local!(static HOME: Rc<OwnedTasks>);

/// The half of every task that stays on this thread: the futures, and the queue of those to be polled.
///
/// See the section "The half that stays" of chapter 11.
pub(crate) struct OwnedTasks {
    /// All unfinished tasks. `None` while a future is being polled.
    tasks: RefCell<BTreeMap<TaskId, Option<Task>>>,
    queue: RefCell<VecDeque<Arc<Header>>>,
    inbox: Arc<Inbox<Message>>,
    last_id: Cell<TaskId>,
}

struct Task {
    future: LocalFutureObj<'static, ()>,
    waker: Waker,
}

impl OwnedTasks {
    /// No tasks yet. `unparker` wakes the thread that will run them.
    pub(crate) fn new(unparker: Waker) -> OwnedTasks {
        OwnedTasks {
            tasks: RefCell::default(),
            queue: RefCell::default(),
            inbox: Arc::new(Inbox::new(unparker)),
            last_id: Cell::new(0),
        }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox<Message>> {
        &self.inbox
    }

    pub(crate) fn enqueue(&self, task: Arc<Header>) {
        emit!(Event::Enqueue { task: task.id });
        self.queue.borrow_mut().push_back(task);
    }

    /// Does what the messages in the inbox say. To be called inside of `block_on`, after each park.
    pub(crate) fn open_inbox(&self) {
        for message in self.inbox.take_all() {
            match message {
                Message::Wake(task) => self.enqueue(task),
                Message::Run(start) => start(),
            }
        }
    }

    /// Takes a future out, to poll it. `None` if the task has ended: it was woken too late.
    fn take(&self, id: TaskId) -> Option<Task> {
        self.tasks.borrow_mut().get_mut(&id)?.take()
    }

    fn put_back(&self, id: TaskId, task: Task) {
        self.tasks.borrow_mut().insert(id, Some(task));
    }

    /// Drops a future that is out of the map, with nothing borrowed: that may run any code.
    fn end(&self, id: TaskId, task: Task) {
        self.tasks.borrow_mut().remove(&id);
        emit!(Event::TaskDrop { task: id });
        drop(task);
    }
}

impl Tasks for OwnedTasks {
    fn spawn(self: Rc<Self>, future: LocalFutureObj<'static, ()>) {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        emit!(Event::Spawn { task: id });
        let header = Header::new(id, self.inbox.clone());
        let waker = Waker::from(header.clone());
        self.put_back(id, Task { future, waker });
        self.enqueue(header);
    }

    fn run_next(&self) -> bool {
        let Some(header) = self.queue.borrow_mut().pop_front() else {
            return false;
        };
        let id = header.id;
        let Some(mut task) = self.take(id) else {
            return true;
        };
        // Before the poll, never after it: a wake during the poll asks for another one.
        header.woken.take();
        let poll = catch_unwind(AssertUnwindSafe(|| poll(&header, &mut task)));
        match poll {
            Ok(Poll::Pending) => self.put_back(id, task),
            Ok(Poll::Ready(())) => self.end(id, task),
            Err(panic) => {
                self.end(id, task);
                resume_unwind(panic);
            }
        }
        true
    }

    fn is_idle(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    fn cancel_all(&self) {
        // First the door: nobody can start anything any more, and who waits for a start is told.
        drop(self.inbox.close());
        // Dropping a future may wake other tasks, so nothing is borrowed while one is dropped.
        while let Some((id, task)) = self.pop_task() {
            emit!(Event::TaskDrop { task: id });
            drop(task);
        }
        drop(self.queue.take());
    }
}

impl OwnedTasks {
    fn pop_task(&self) -> Option<(TaskId, Option<Task>)> {
        self.tasks.borrow_mut().pop_first()
    }
}

/// Polls a future that is out of the map, and records that.
fn poll(header: &Arc<Header>, task: &mut Task) -> Poll<()> {
    /// Records the end of the poll, even if it is a panic.
    struct Traced<'a>(&'a Arc<Header>, PollResult);

    impl Drop for Traced<'_> {
        fn drop(&mut self) {
            // Two references are ours, and no wakers: the one that was queued, and the task's own.
            let wakers = Arc::strong_count(self.0) - 2;
            emit!(Event::PollEnd { task: self.0.id, result: self.1, wakers });
        }
    }

    emit!(Event::PollStart { task: header.id });
    let mut traced = Traced(header, PollResult::Panicked);
    let _cause = trace::caused_by(Cause::Task(header.id));
    let poll = Pin::new(&mut task.future).poll(&mut Context::from_waker(&task.waker));
    traced.1 = if poll.is_ready() { PollResult::Ready } else { PollResult::Pending };
    poll
}

/// Makes `tasks` the ones that are at home on this thread, while `body` runs.
pub(crate) fn enter<R>(tasks: &Rc<OwnedTasks>, body: impl FnOnce() -> R) -> R {
    HOME.set(tasks, body)
}

/// The tasks of this inbox, if this is the thread that runs them, and does so now.
pub(crate) fn at_home(inbox: &Arc<Inbox<Message>>) -> Option<Rc<OwnedTasks>> {
    // An executor has a share in its inbox. If ours is the only one, it has gone.
    let has_executor = Arc::strong_count(inbox) > 1;
    (has_executor && HOME.is_set()).then(|| HOME.with(Rc::clone))
}
