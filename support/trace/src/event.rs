use std::fmt;
use std::os::fd::RawFd;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Numbers the tasks of one executor in the order in which they were spawned, from 1.
pub type TaskId = u64;

/// The number of the main future, the one that was given to `block_on`.
pub const MAIN: TaskId = 0;

/// One step of a run.
#[expect(missing_docs, reason = "the sentence above each event names its fields")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub enum Event {
    /// A task was made.
    Spawn { task: TaskId },
    /// A task was put into the run queue.
    Enqueue { task: TaskId },
    /// A poll began.
    PollStart { task: TaskId },
    /// A poll ended. `wakers` of the task were left behind, by which it can be woken.
    PollEnd { task: TaskId, result: PollResult, wakers: usize },
    /// A task's future was dropped, finished or not.
    TaskDrop { task: TaskId },
    /// One more waker of this task exists.
    WakerClone { task: TaskId },
    /// One waker less of this task exists.
    WakerDrop { task: TaskId },
    /// A waker was asked to wake its task.
    Wake { task: TaskId, by: Cause },
    /// The thread begins to sleep, for at most `timeout`.
    Park { timeout: Option<Duration> },
    /// The thread is awake again.
    Unpark,
    /// The reactor registered a file descriptor with the kernel.
    FdAdd { fd: RawFd },
    /// The reactor removed a file descriptor from the kernel's list.
    FdDelete { fd: RawFd },
    /// The reactor told the kernel which readiness of `fd` it wants to hear of.
    Interest { fd: RawFd, read: bool, write: bool },
    /// The reactor keeps a waker for one direction of `fd`.
    SlotSet { fd: RawFd, slot: Direction },
    /// The reactor gave up the waker of one direction of `fd`, to wake it or to drop it.
    SlotClear { fd: RawFd, slot: Direction },
    /// The kernel said that `fd` is ready.
    Ready { fd: RawFd, read: bool, write: bool },
    /// A system call was tried on a non-blocking `fd`.
    Try { fd: RawFd, slot: Direction, result: Io },
    /// A deadline was added.
    TimerSet { timer: u64 },
    /// A deadline that is there already got another waker in the place of its own.
    TimerWaker { timer: u64 },
    /// A deadline was hung into a slot of a timer wheel, for the first time or by a cascade. Wheels and
    /// slots are numbered from 0.
    TimerHang { timer: u64, wheel: usize, slot: usize },
    /// The time has come to a slot of a timer wheel: what hangs there is due, or cascades.
    WheelTurn { wheel: usize, slot: usize, tick: u64 },
    /// A deadline came, and its waker is woken.
    TimerFire { timer: u64 },
    /// A deadline was taken back before it came.
    TimerCancel { timer: u64 },
    /// A message was left in the inbox of a thread. The first one finds it empty.
    InboxPush { first: bool },
    /// A thread took this many messages out of its inbox.
    InboxTake { count: usize },
    /// An operation was put into the submission queue of a ring.
    Sqe { op: OpId, kind: OpKind },
    /// The kernel was called, and took this many entries of the submission queue.
    Submit { count: usize },
    /// The kernel has completed an operation.
    Cqe { op: OpId, ok: bool },
    /// The future of an operation was dropped, and the kernel was asked to give the operation up.
    OpCancel { op: OpId },
    /// A buffer went to the kernel with an operation.
    BufferLent { op: OpId },
    /// The buffer of an operation has come home: to its user, or to be freed.
    BufferHome { op: OpId },
    /// The program said something. No runtime emits this; whoever tells of a run may.
    Note { text: String },
}

/// Numbers the operations of one ring in the order of their submission, from 1.
pub type OpId = u64;

/// What an operation of a ring does.
#[expect(missing_docs, reason = "each is called as the operation of io_uring is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpKind {
    Nop,
    Accept,
    Connect,
    Recv,
    Send,
    Read,
    Write,
    Close,
    Poll,
    Timeout,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollResult {
    /// The future has its value.
    Ready,
    /// The future waits, and owes a wake.
    Pending,
    /// The future panicked.
    Panicked,
}

/// What a try on a non-blocking file descriptor brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Io {
    /// The call was carried out.
    Done,
    /// Not now.
    WouldBlock,
    /// The call failed.
    Failed,
}

/// One of the two directions of a file descriptor, each with a waker of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Waits until it can be read.
    Read,
    /// Waits until it can be written.
    Write,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Read => "read",
            Direction::Write => "write",
        })
    }
}

/// Who called a waker. Written as `task3`, `fd7.read`, `timer2`, `op5` or `outside`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Cause {
    /// Nobody that the runtime knows: another thread, or code outside of any poll.
    #[default]
    Outside,
    /// A task, while it was polled.
    Task(TaskId),
    /// The reactor, because a file descriptor was ready.
    Fd(RawFd, Direction),
    /// The timers, because a deadline has come.
    Timer(u64),
    /// The ring, because an operation was completed.
    Op(OpId),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Outside => f.write_str("outside"),
            Cause::Task(task) => write!(f, "task{task}"),
            Cause::Fd(fd, direction) => write!(f, "fd{fd}.{direction}"),
            Cause::Timer(timer) => write!(f, "timer{timer}"),
            Cause::Op(op) => write!(f, "op{op}"),
        }
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> String {
        cause.to_string()
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown =
            || format!("{text:?} is no cause: expected task3, fd7.read, timer2, op5 or outside");
        if text == "outside" {
            return Ok(Cause::Outside);
        }
        if let Some(task) = text.strip_prefix("task") {
            return task.parse().map(Cause::Task).map_err(|_| unknown());
        }
        if let Some(timer) = text.strip_prefix("timer") {
            return timer.parse().map(Cause::Timer).map_err(|_| unknown());
        }
        if let Some(op) = text.strip_prefix("op") {
            return op.parse().map(Cause::Op).map_err(|_| unknown());
        }
        let (fd, direction) =
            text.strip_prefix("fd").and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
        let fd = fd.parse().map_err(|_| unknown())?;
        match direction {
            "read" => Ok(Cause::Fd(fd, Direction::Read)),
            "write" => Ok(Cause::Fd(fd, Direction::Write)),
            _ => Err(unknown()),
        }
    }
}

impl TryFrom<String> for Cause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl Event {
    /// The file descriptors that this event names, for renaming.
    pub(crate) fn fd_mut(&mut self) -> Option<&mut RawFd> {
        match self {
            Event::FdAdd { fd }
            | Event::FdDelete { fd }
            | Event::Interest { fd, .. }
            | Event::SlotSet { fd, .. }
            | Event::SlotClear { fd, .. }
            | Event::Ready { fd, .. }
            | Event::Try { fd, .. }
            | Event::Wake { by: Cause::Fd(fd, _), .. } => Some(fd),
            _ => None,
        }
    }
}
