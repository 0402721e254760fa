use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::{Direction, Event, Io, LIMIT, MAIN, OpId, OpKind, PollResult, Record, TaskId};

#[derive(Default)]
struct Task {
    polls: usize,
    queued: bool,
    state: State,
    wakers: usize,
}

#[derive(Default)]
enum State {
    #[default]
    New,
    Running(Duration),
    Pending(Duration),
    Over,
}

/// What a run was waiting for at `now`, in sentences: which task is pending, since when, whether
/// its waker was kept, and what the reactor waits for. Written for the person in front of a hang.
pub fn explain(records: &[Record], now: Duration) -> String {
    let mut tasks: BTreeMap<TaskId, Task> = BTreeMap::new();
    let mut slots: BTreeMap<(RawFd, Direction), bool> = BTreeMap::new();
    let mut interest: BTreeMap<RawFd, (bool, bool)> = BTreeMap::new();
    let mut parked: Option<(Duration, Option<Duration>)> = None;
    let mut would_block = 0_usize;
    let mut timers = 0_usize;
    let mut flying: BTreeMap<OpId, OpKind> = BTreeMap::new();

    for Record { at, event, .. } in records {
        match *event {
            Event::Spawn { task } => {
                tasks.entry(task).or_default();
            }
            Event::Enqueue { task } => tasks.entry(task).or_default().queued = true,
            Event::PollStart { task } => {
                let task = tasks.entry(task).or_default();
                task.queued = false;
                task.polls += 1;
                task.state = State::Running(*at);
            }
            Event::PollEnd { task, result, wakers } => {
                let task = tasks.entry(task).or_default();
                task.wakers = wakers;
                task.state = match result {
                    PollResult::Pending => State::Pending(*at),
                    PollResult::Ready | PollResult::Panicked => State::Over,
                };
            }
            Event::TaskDrop { task } => tasks.entry(task).or_default().state = State::Over,
            // Between polls, the count changes as wakers are cloned, used and dropped.
            Event::WakerClone { task } => tasks.entry(task).or_default().wakers += 1,
            Event::WakerDrop { task } => {
                let wakers = &mut tasks.entry(task).or_default().wakers;
                *wakers = wakers.saturating_sub(1);
            }
            Event::Park { timeout } => parked = Some((*at, timeout)),
            Event::Unpark => parked = None,
            Event::SlotSet { fd, slot } => {
                slots.insert((fd, slot), true);
            }
            Event::SlotClear { fd, slot } => {
                slots.remove(&(fd, slot));
            }
            Event::Interest { fd, read, write } => {
                interest.insert(fd, (read, write));
            }
            Event::FdDelete { fd } => {
                interest.remove(&fd);
            }
            Event::Try { result: Io::WouldBlock, .. } => would_block += 1,
            Event::TimerSet { .. } => timers += 1,
            Event::TimerFire { .. } | Event::TimerCancel { .. } => timers -= 1,
            Event::Sqe { op, kind } => {
                flying.insert(op, kind);
            }
            Event::Cqe { op, .. } => {
                flying.remove(&op);
            }
            Event::Wake { .. }
            | Event::TimerWaker { .. }
            | Event::TimerHang { .. }
            | Event::WheelTurn { .. }
            | Event::InboxPush { .. }
            | Event::InboxTake { .. }
            | Event::FdAdd { .. }
            | Event::Ready { .. }
            | Event::Try { .. }
            | Event::Submit { .. }
            | Event::OpCancel { .. }
            | Event::BufferLent { .. }
            | Event::BufferHome { .. }
            | Event::Note { .. } => {}
        }
    }

    let mut text = String::new();
    let mut say = |line: String| writeln!(text, "{line}").expect("a String takes every line");
    if records.is_empty() {
        say("Nothing was recorded: no runtime ran on this thread.".into());
    }
    if records.len() == LIMIT {
        say(format!(
            "Something goes round and round: the recording was full after {LIMIT} events, and knows no more."
        ));
    }
    for (id, task) in &tasks {
        let name = if *id == MAIN { "The main future".to_string() } else { format!("Task {id}") };
        let waits = match task.state {
            State::Over => continue,
            State::New => format!("{name} was spawned and never polled"),
            State::Running(since) => {
                format!(
                    "{name} has been inside one poll for {:.1?}: it blocks or loops",
                    now - since
                )
            }
            State::Pending(since) => {
                format!(
                    "{name} has been pending for {:.1?}, after {} poll(s)",
                    now - since,
                    task.polls
                )
            }
        };
        say(match (&task.state, task.queued, task.wakers) {
            (State::Pending(_), true, _) => {
                format!("{waits}. It was woken, and waits in the run queue.")
            }
            (State::Pending(_), false, 0) => {
                format!("{waits}. Nobody holds its waker, so nothing can wake it.")
            }
            (State::Pending(_), false, n) => {
                format!("{waits}. {n} waker(s) of it are kept somewhere.")
            }
            _ => format!("{waits}."),
        });
    }
    for (fd, direction) in slots.keys() {
        let (read, write) = interest.get(fd).copied().unwrap_or_default();
        let armed = match direction {
            Direction::Read => read,
            Direction::Write => write,
        };
        let verb = if armed { "and the kernel was asked" } else { "but the kernel was NOT asked" };
        say(format!("The reactor keeps a waker for fd {fd} ({direction}), {verb} to report it."));
    }
    for (op, kind) in &flying {
        say(format!("Operation {op} ({kind:?}) is with the kernel."));
    }
    match parked {
        Some((since, None)) => {
            say(format!("The thread has been parked for {:.1?}, with no timeout.", now - since));
        }
        Some((since, Some(timeout))) => {
            say(format!(
                "The thread has been parked for {:.1?}, for at most {timeout:?}.",
                now - since
            ));
        }
        None if !records.is_empty() => {
            let last = &records[records.len() - 1];
            let since = now.saturating_sub(last.at);
            say(format!(
                "The thread is not parked. The last of {} events, {since:.1?} ago: {:?}.",
                records.len(),
                last.event
            ));
        }
        None => {}
    }
    if timers > 0 {
        say(format!("Deadlines that are waited for: {timers}."));
    }
    if would_block > 0 {
        say(format!("Tries that ended in WouldBlock so far: {would_block}."));
    }
    text
}
