//! What must hold in every run, as functions over its records. Tests call [`check`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::fd::RawFd;

use crate::{Direction, Event, MAIN, PollResult, Record, TaskId};

/// A record that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the function that holds the rule.
    pub rule: &'static str,
    /// The [`Record::seq`] at which it broke.
    pub seq: usize,
    /// What is wrong, in a sentence.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken at event {}: {}", self.rule, self.seq, self.why)
    }
}

impl std::error::Error for Violation {}

/// A rule, and what there is to say of it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name of the function that holds it.
    pub name: &'static str,
    /// The rule in a sentence.
    pub says: &'static str,
    /// Finds the first record that breaks it.
    pub holds: fn(&[Record]) -> Result<(), Violation>,
    /// Whether a run says anything about the rule: one without tasks cannot break what holds for tasks.
    pub applies: fn(&[Record]) -> bool,
    /// Whether it holds at the end of a run only, and not before.
    pub at_end: bool,
}

/// Every rule of this module.
pub const RULES: [Rule; 9] = [
    Rule {
        name: "pending_keeps_a_waker",
        says: "Who is pending left a waker somewhere.",
        holds: pending_keeps_a_waker,
        applies: |run| any(run, |event| matches!(event, Event::PollEnd { .. })),
        at_end: false,
    },
    Rule {
        name: "done_is_never_polled",
        says: "Who has ended is not polled again.",
        holds: done_is_never_polled,
        applies: |run| any(run, |event| matches!(event, Event::PollStart { task: 1.. })),
        at_end: false,
    },
    Rule {
        name: "queued_once",
        says: "Nobody stands in the run queue twice.",
        holds: queued_once,
        applies: |run| any(run, |event| matches!(event, Event::Enqueue { .. })),
        at_end: false,
    },
    Rule {
        name: "parks_only_when_idle",
        says: "The thread sleeps only when nobody is queued.",
        holds: parks_only_when_idle,
        applies: |run| {
            any(run, |event| matches!(event, Event::Enqueue { .. }))
                && any(run, |event| matches!(event, Event::Park { .. }))
        },
        at_end: false,
    },
    Rule {
        name: "interest_equals_slots",
        says: "The kernel is asked for just what the reactor keeps wakers for.",
        holds: interest_equals_slots,
        applies: |run| any(run, |event| matches!(event, Event::Interest { .. })),
        at_end: false,
    },
    Rule {
        name: "one_completion_per_operation",
        says: "An operation is completed once.",
        holds: one_completion_per_operation,
        applies: |run| any(run, |event| matches!(event, Event::Sqe { .. })),
        at_end: false,
    },
    Rule {
        name: "buffers_stay_until_completion",
        says: "A buffer stays with the kernel until its operation is completed.",
        holds: buffers_stay_until_completion,
        applies: |run| any(run, |event| matches!(event, Event::BufferLent { .. })),
        at_end: false,
    },
    Rule {
        name: "timers_come_home",
        says: "In the end every deadline has come, or was taken back.",
        holds: timers_come_home,
        applies: |run| any(run, |event| matches!(event, Event::TimerSet { .. })),
        at_end: true,
    },
    Rule {
        name: "operations_come_home",
        says: "In the end every operation is completed, and every buffer at home.",
        holds: operations_come_home,
        applies: |run| any(run, |event| matches!(event, Event::Sqe { .. })),
        at_end: true,
    },
];

fn any(run: &[Record], is_about: fn(&Event) -> bool) -> bool {
    run.iter().any(|record| is_about(&record.event))
}

/// Checks every rule that holds all the time.
///
/// # Errors
/// The first violation found.
pub fn check(records: &[Record]) -> Result<(), Violation> {
    let mut rules = RULES.iter().filter(|rule| !rule.at_end);
    rules.try_for_each(|rule| (rule.holds)(records))
}

/// A poll that ends pending leaves a waker behind, or was woken while it ran. (Chapter 3.)
pub fn pending_keeps_a_waker(records: &[Record]) -> Result<(), Violation> {
    let mut woken = BTreeSet::new();
    for record in records {
        match record.event {
            Event::PollStart { task } => {
                woken.remove(&task);
            }
            Event::Wake { task, .. } => {
                woken.insert(task);
            }
            Event::PollEnd { task, result: PollResult::Pending, wakers: 0 }
                if !woken.contains(&task) =>
            {
                return broken(
                    "pending_keeps_a_waker",
                    record,
                    format!("{} returned Pending, and nobody kept its waker", name(task)),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// A task that has ended is not polled again. (Chapter 4, fault S2.)
pub fn done_is_never_polled(records: &[Record]) -> Result<(), Violation> {
    let mut over = BTreeSet::new();
    for record in records {
        match record.event {
            Event::PollEnd { task, result: PollResult::Ready | PollResult::Panicked, .. }
            | Event::TaskDrop { task } => {
                over.insert(task);
            }
            // A number is free again when its executor is gone.
            Event::Spawn { task } => {
                over.remove(&task);
            }
            Event::PollStart { task } if task != MAIN && over.contains(&task) => {
                let why = format!("task {task} had ended, and was polled again");
                return broken("done_is_never_polled", record, why);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A task stands in the run queue at most once. (Chapter 5.)
///
/// A task that has ended may be queued by what its own future does while it is dropped. That is
/// harmless, and no matter for the rules of the queue.
pub fn queued_once(records: &[Record]) -> Result<(), Violation> {
    let mut queue = Queue::default();
    for record in records {
        if let Some(task) = queue.follow(record) {
            let why = format!("task {task} was in the queue already");
            return broken("queued_once", record, why);
        }
    }
    Ok(())
}

/// The thread sleeps without a timeout only when no task is queued. (Chapter 5, fault S1.)
pub fn parks_only_when_idle(records: &[Record]) -> Result<(), Violation> {
    let mut queue = Queue::default();
    for record in records {
        queue.follow(record);
        if let Event::Park { timeout: None } = record.event
            && let Some((task, _)) =
                queue.queued.iter().find(|(_, thread)| **thread == record.thread)
        {
            let why = format!("the thread parks while task {task} waits in the run queue");
            return broken("parks_only_when_idle", record, why);
        }
    }
    Ok(())
}

/// The run queues of all threads, as the events tell of them.
#[derive(Default)]
struct Queue {
    /// Which task is queued, and on which thread.
    queued: BTreeMap<TaskId, usize>,
    over: BTreeSet<TaskId>,
}

impl Queue {
    /// Takes in a record. Returns the task that it queues although it is queued already.
    fn follow(&mut self, record: &Record) -> Option<TaskId> {
        match record.event {
            Event::Enqueue { task } => {
                let is_over = self.over.contains(&task);
                let again = !is_over && self.queued.insert(task, record.thread).is_some();
                return again.then_some(task);
            }
            Event::PollStart { task } => {
                self.queued.remove(&task);
            }
            Event::PollEnd { task, result: PollResult::Panicked, .. }
            | Event::TaskDrop { task } => {
                self.queued.remove(&task);
                self.over.insert(task);
            }
            // A number is free again when its executor is gone.
            Event::Spawn { task } => {
                self.over.remove(&task);
            }
            _ => {}
        }
        None
    }
}

/// Whenever the thread sleeps, the kernel has been asked for just what the reactor keeps wakers for.
/// (Chapter 6, fault S3.)
pub fn interest_equals_slots(records: &[Record]) -> Result<(), Violation> {
    let mut slots: BTreeSet<(RawFd, Direction)> = BTreeSet::new();
    let mut interest: BTreeMap<RawFd, (bool, bool)> = BTreeMap::new();
    for record in records {
        match record.event {
            Event::FdAdd { fd } => {
                interest.insert(fd, (false, false));
            }
            Event::FdDelete { fd } => {
                interest.remove(&fd);
            }
            Event::Interest { fd, read, write } => {
                interest.insert(fd, (read, write));
            }
            Event::SlotSet { fd, slot } => {
                slots.insert((fd, slot));
            }
            Event::SlotClear { fd, slot } => {
                slots.remove(&(fd, slot));
            }
            // The kernel reported a one-shot registration, which is thereby disarmed.
            Event::Ready { fd, .. } => {
                interest.insert(fd, (false, false));
            }
            Event::Park { .. } => {
                for (fd, asked) in &interest {
                    let kept = (
                        slots.contains(&(*fd, Direction::Read)),
                        slots.contains(&(*fd, Direction::Write)),
                    );
                    if *asked != kept {
                        let why = format!(
                            "fd {fd}: wakers kept (read, write) {kept:?}, asked of the kernel {asked:?}"
                        );
                        return broken("interest_equals_slots", record, why);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Every deadline that was added has come, or was taken back, by the end of the run: once, and not
/// before it was added. (Chapter 8.)
///
/// Not a part of [`check`], because it holds only when all timers are gone. Each thread may run one
/// runtime after another.
pub fn timers_come_home(records: &[Record]) -> Result<(), Violation> {
    let mut waited_for = BTreeMap::new();
    for record in records {
        let why = match record.event {
            Event::TimerSet { timer } => {
                let before = waited_for.insert((record.thread, timer), record);
                before.map(|_| format!("timer {timer} was added already"))
            }
            Event::TimerFire { timer } | Event::TimerCancel { timer } => {
                let before = waited_for.remove(&(record.thread, timer));
                before.is_none().then(|| format!("timer {timer} goes, and was not there"))
            }
            _ => None,
        };
        if let Some(why) = why {
            return broken("timers_come_home", record, why);
        }
    }
    match waited_for.first_key_value() {
        Some(((_, timer), record)) => {
            let why = format!("timer {timer} was added here, and is there still");
            broken("timers_come_home", record, why)
        }
        None => Ok(()),
    }
}

/// No operation is completed twice, or without having been submitted.
///
/// # Errors
/// With the first completion that has no operation.
pub fn one_completion_per_operation(records: &[Record]) -> Result<(), Violation> {
    let mut flying = BTreeSet::new();
    for record in records {
        let why = match record.event {
            Event::Sqe { op, .. } => (!flying.insert((record.thread, op)))
                .then(|| format!("operation {op} was submitted already")),
            Event::Cqe { op, .. } => (!flying.remove(&(record.thread, op)))
                .then(|| format!("operation {op} was completed, and was not with the kernel")),
            _ => None,
        };
        if let Some(why) = why {
            return broken("one_completion_per_operation", record, why);
        }
    }
    Ok(())
}

/// No buffer comes home before its operation is completed, and none comes home twice.
///
/// # Errors
/// With the first buffer that does.
pub fn buffers_stay_until_completion(records: &[Record]) -> Result<(), Violation> {
    let mut lent = BTreeSet::new();
    let mut flying = BTreeSet::new();
    for record in records {
        let why = match record.event {
            Event::Sqe { op, .. } => {
                flying.insert((record.thread, op));
                None
            }
            Event::Cqe { op, .. } => {
                flying.remove(&(record.thread, op));
                None
            }
            Event::BufferLent { op } => {
                lent.insert((record.thread, op));
                None
            }
            Event::BufferHome { op } if flying.contains(&(record.thread, op)) => {
                Some(format!("the buffer of operation {op} came home while the kernel had it"))
            }
            Event::BufferHome { op } => (!lent.remove(&(record.thread, op)))
                .then(|| format!("the buffer of operation {op} came home, and was not lent")),
            _ => None,
        };
        if let Some(why) = why {
            return broken("buffers_stay_until_completion", record, why);
        }
    }
    Ok(())
}

/// Every operation was completed, and every buffer came home: for runs that have ended in good order.
///
/// # Errors
/// With the first operation, or buffer, that is still with the kernel.
pub fn operations_come_home(records: &[Record]) -> Result<(), Violation> {
    let mut flying = BTreeMap::new();
    let mut lent = BTreeMap::new();
    for record in records {
        match record.event {
            Event::Sqe { op, .. } => {
                flying.insert((record.thread, op), record);
            }
            Event::Cqe { op, .. } => {
                flying.remove(&(record.thread, op));
            }
            Event::BufferLent { op } => {
                lent.insert((record.thread, op), record);
            }
            Event::BufferHome { op } => {
                lent.remove(&(record.thread, op));
            }
            _ => {}
        }
    }
    if let Some(((_, op), record)) = flying.first_key_value() {
        let why = format!("operation {op} was submitted here, and never completed");
        return broken("operations_come_home", record, why);
    }
    match lent.first_key_value() {
        Some(((_, op), record)) => {
            let why = format!("the buffer of operation {op} was lent here, and never came home");
            broken("operations_come_home", record, why)
        }
        None => Ok(()),
    }
}

fn name(task: TaskId) -> String {
    if task == MAIN { "the main future".into() } else { format!("task {task}") }
}

fn broken(rule: &'static str, record: &Record, why: String) -> Result<(), Violation> {
    Err(Violation { rule, seq: record.seq, why })
}
