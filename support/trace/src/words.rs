//! Events as sentences.

use std::os::fd::RawFd;
use std::time::Duration;

use crate::{Cause, Direction, Event, Io, MAIN, OpId, OpKind, PollResult, TaskId};

/// Who takes part in a run: the names by which sentences call them.
///
/// The numbers are those of the events, file descriptors in the order in which they appear, from 1.
/// Who has no name is called by the number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cast {
    /// The tasks, each with a name that can begin with "the".
    pub tasks: &'static [(TaskId, &'static str)],
    /// The file descriptors.
    pub fds: &'static [(RawFd, &'static str)],
    /// The threads.
    pub threads: &'static [(usize, &'static str)],
    /// The deadlines.
    pub timers: &'static [(u64, &'static str)],
    /// The operations of a ring.
    pub ops: &'static [(OpId, &'static str)],
}

impl Cast {
    /// Nobody has a name.
    pub const NAMELESS: Cast = Cast { tasks: &[], fds: &[], threads: &[], timers: &[], ops: &[] };

    pub(crate) fn task(&self, task: TaskId) -> String {
        match name(self.tasks, task) {
            Some(name) => name.to_string(),
            None if task == MAIN => "the main future".to_string(),
            None => format!("task {task}"),
        }
    }

    fn fd(&self, fd: RawFd) -> String {
        name(self.fds, fd).map_or_else(|| format!("descriptor {fd}"), str::to_string)
    }

    fn timer(&self, timer: u64) -> String {
        name(self.timers, timer).map_or_else(|| format!("deadline {timer}"), str::to_string)
    }

    fn op(&self, op: OpId) -> String {
        name(self.ops, op).map_or_else(|| format!("operation {op}"), str::to_string)
    }

    pub(crate) fn thread(&self, thread: usize) -> String {
        match name(self.threads, thread) {
            Some(name) => name.to_string(),
            None if thread == 0 => "the thread".to_string(),
            None => format!("thread {thread}"),
        }
    }

    /// What happened, in a sentence.
    pub(crate) fn sentence(&self, thread: usize, event: &Event) -> String {
        let clause = self.clause(thread, event);
        match event {
            Event::Note { .. } => clause,
            // These name the thread themselves.
            Event::Park { .. } | Event::Unpark | Event::InboxTake { .. } => capitalised(&clause),
            _ if thread == 0 => capitalised(&clause),
            _ => capitalised(&format!("{}: {clause}", self.thread(thread))),
        }
    }

    fn clause(&self, thread: usize, event: &Event) -> String {
        match *event {
            Event::Spawn { task } => format!("{} is spawned.", self.task(task)),
            Event::Enqueue { task } => format!("{} goes into the run queue.", self.task(task)),
            Event::PollStart { task } => format!("{} is polled.", self.task(task)),
            Event::PollEnd { task, result, wakers } => {
                let task = self.task(task);
                match (result, wakers) {
                    (PollResult::Ready, _) => format!("{task} is ready."),
                    (PollResult::Panicked, _) => format!("{task} panics."),
                    (PollResult::Pending, 0) => {
                        format!("{task} is pending, and no waker of it is left.")
                    }
                    (PollResult::Pending, 1) => {
                        format!("{task} is pending, and one waker of it is kept.")
                    }
                    (PollResult::Pending, _) => {
                        format!("{task} is pending, and {wakers} wakers of it are kept.")
                    }
                }
            }
            Event::TaskDrop { task } => format!("the future of {} is dropped.", self.task(task)),
            Event::WakerClone { task } => format!("one more waker of {} is made.", self.task(task)),
            Event::WakerDrop { task } => format!("one waker of {} is dropped.", self.task(task)),
            Event::Wake { task, by } => {
                format!("{} is woken {}.", self.task(task), self.cause(task, by))
            }
            Event::Park { timeout } => {
                let thread = self.thread(thread);
                match timeout {
                    None => format!("{thread} goes to sleep, for as long as it takes."),
                    Some(Duration::ZERO) => {
                        format!("{thread} looks at its sources, without sleeping.")
                    }
                    Some(limit) => format!("{thread} goes to sleep, for {limit:?} at most."),
                }
            }
            Event::Unpark => format!("{} is awake.", self.thread(thread)),
            Event::FdAdd { fd } => {
                format!("the reactor registers {} with the kernel.", self.fd(fd))
            }
            Event::FdDelete { fd } => {
                format!("the reactor takes {} off the kernel's list.", self.fd(fd))
            }
            Event::Interest { fd, read, write } => {
                let fd = self.fd(fd);
                match directions(read, write) {
                    None => format!("the kernel is asked to report nothing of {fd}."),
                    Some(what) => format!("the kernel is asked to report when {fd} can be {what}."),
                }
            }
            Event::SlotSet { fd, slot } => {
                format!("the reactor keeps a waker for {}, to {slot}.", self.fd(fd))
            }
            Event::SlotClear { fd, slot } => {
                format!("the reactor gives up the waker for {}, to {slot}.", self.fd(fd))
            }
            Event::Ready { fd, read, write } => {
                let what = directions(read, write).unwrap_or("closed");
                format!("the kernel reports that {} can be {what}.", self.fd(fd))
            }
            Event::Try { fd, slot, result } => {
                let fd = self.fd(fd);
                let result = match result {
                    Io::Done => "is done",
                    Io::WouldBlock => "would block",
                    Io::Failed => "fails",
                };
                format!("a {slot} of {fd} {result}.")
            }
            Event::TimerSet { timer } => format!("{} is added.", self.timer(timer)),
            Event::TimerWaker { timer } => {
                format!("{} gets another waker, in the place of its own.", self.timer(timer))
            }
            Event::TimerHang { timer, wheel, slot } => {
                format!("{} hangs in slot {slot} of wheel {}.", self.timer(timer), wheel + 1)
            }
            Event::WheelTurn { wheel, slot, tick } => {
                format!("it is tick {tick}: the time of slot {slot} of wheel {}.", wheel + 1)
            }
            Event::InboxPush { first: true } => {
                "a message goes into the inbox, which was empty.".into()
            }
            Event::InboxPush { first: false } => {
                "a message goes into the inbox, behind others.".into()
            }
            Event::InboxTake { count: 0 } => {
                format!("{} finds its inbox empty.", self.thread(thread))
            }
            Event::InboxTake { count: 1 } => {
                format!("{} takes a message out of its inbox.", self.thread(thread))
            }
            Event::InboxTake { count } => {
                format!("{} takes {count} messages out of its inbox.", self.thread(thread))
            }
            Event::TimerFire { timer } => format!("{} has come.", self.timer(timer)),
            Event::TimerCancel { timer } => format!("{} is taken back.", self.timer(timer)),
            Event::Sqe { op, kind } => {
                format!("{} ({}) goes into the submission queue.", self.op(op), kind_name(kind))
            }
            Event::Submit { count: 1 } => {
                "the kernel takes one entry of the submission queue.".into()
            }
            Event::Submit { count } => {
                format!("the kernel takes {count} entries of the submission queue.")
            }
            Event::Cqe { op, ok: true } => format!("{} is completed.", self.op(op)),
            Event::Cqe { op, ok: false } => format!("{} is completed, with an error.", self.op(op)),
            Event::OpCancel { op } => {
                format!("the kernel will be asked to give {} up.", self.op(op))
            }
            Event::BufferLent { op } => {
                format!("the buffer of {} goes to the kernel.", self.op(op))
            }
            Event::BufferHome { op } => format!("the buffer of {} has come home.", self.op(op)),
            Event::Note { ref text } => text.clone(),
        }
    }

    fn cause(&self, task: TaskId, by: Cause) -> String {
        match by {
            Cause::Outside => "from outside".into(),
            Cause::Task(waker) if waker == task => "by itself".into(),
            Cause::Task(waker) => format!("by {}", self.task(waker)),
            Cause::Fd(fd, Direction::Read) => format!("because {} can be read", self.fd(fd)),
            Cause::Fd(fd, Direction::Write) => format!("because {} can be written", self.fd(fd)),
            Cause::Timer(timer) => format!("because {} has come", self.timer(timer)),
            Cause::Op(op) => format!("because {} is completed", self.op(op)),
        }
    }
}

fn name<N: PartialEq>(names: &'static [(N, &'static str)], number: N) -> Option<&'static str> {
    names.iter().find(|(named, _)| *named == number).map(|(_, name)| *name)
}

fn directions(read: bool, write: bool) -> Option<&'static str> {
    match (read, write) {
        (true, true) => Some("read or written"),
        (true, false) => Some("read"),
        (false, true) => Some("written"),
        (false, false) => None,
    }
}

fn kind_name(kind: OpKind) -> String {
    format!("{kind:?}").to_lowercase()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
