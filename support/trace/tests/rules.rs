//! Each rule accepts a run that keeps it, and names the event that breaks it.

use std::time::Duration;

use trace::invariants::{
    buffers_stay_until_completion, check, done_is_never_polled, interest_equals_slots,
    one_completion_per_operation, operations_come_home, parks_only_when_idle,
    pending_keeps_a_waker, queued_once, timers_come_home,
};
use trace::{Cause, Direction, Event, MAIN, OpKind, Place, PollResult, Record};

fn records(events: &[Event]) -> Vec<Record> {
    let records = events.iter().cloned().enumerate();
    let place = Place::default();
    let record =
        |(seq, event)| Record { seq, at: Duration::ZERO, thread: 0, place: place.clone(), event };
    records.map(record).collect()
}

fn poll(task: u64, result: PollResult, wakers: usize) -> [Event; 2] {
    [Event::PollStart { task }, Event::PollEnd { task, result, wakers }]
}

/// The sequence numbers at which `check` and the rule itself find the run broken.
fn broken_at(
    rule: fn(&[Record]) -> Result<(), trace::invariants::Violation>,
    events: &[Event],
) -> Option<usize> {
    let records = records(events);
    let found = rule(&records).err().map(|violation| violation.seq);
    assert_eq!(check(&records).err().map(|violation| violation.seq), found);
    found
}

#[test]
fn a_pending_task_keeps_a_waker() {
    let kept = poll(1, PollResult::Pending, 1);
    assert_eq!(broken_at(pending_keeps_a_waker, &kept), None);

    let forgotten = poll(1, PollResult::Pending, 0);
    assert_eq!(broken_at(pending_keeps_a_waker, &forgotten), Some(1));

    let woken_meanwhile = [
        Event::PollStart { task: MAIN },
        Event::Wake { task: MAIN, by: Cause::Task(MAIN) },
        Event::PollEnd { task: MAIN, result: PollResult::Pending, wakers: 0 },
    ];
    assert_eq!(broken_at(pending_keeps_a_waker, &woken_meanwhile), None);

    let [start, end] = forgotten;
    let woken_before = [Event::Wake { task: 1, by: Cause::Outside }, start, end];
    assert_eq!(broken_at(pending_keeps_a_waker, &woken_before), Some(2));
}

#[test]
fn a_done_task_is_never_polled() {
    for result in [PollResult::Ready, PollResult::Panicked] {
        let events = [poll(1, result, 0), poll(1, PollResult::Ready, 0)].concat();
        assert_eq!(broken_at(done_is_never_polled, &events), Some(2));
    }
    let again = [
        poll(1, PollResult::Ready, 0).to_vec(),
        vec![Event::Spawn { task: 1 }],
        poll(1, PollResult::Ready, 0).to_vec(),
    ];
    assert_eq!(broken_at(done_is_never_polled, &again.concat()), None);

    let cancelled = [vec![Event::TaskDrop { task: 1 }], poll(1, PollResult::Ready, 0).to_vec()];
    assert_eq!(broken_at(done_is_never_polled, &cancelled.concat()), Some(1));
}

#[test]
fn a_task_is_queued_once() {
    let twice = [Event::Enqueue { task: 1 }, Event::Enqueue { task: 1 }];
    assert_eq!(broken_at(queued_once, &twice), Some(1));
    let in_turn =
        [Event::Enqueue { task: 1 }, Event::PollStart { task: 1 }, Event::Enqueue { task: 1 }];
    assert_eq!(broken_at(queued_once, &in_turn), None);
}

#[test]
fn a_task_that_wakes_itself_while_it_is_dropped_breaks_no_rule() {
    let events = [
        Event::PollStart { task: 1 },
        Event::PollEnd { task: 1, result: PollResult::Ready, wakers: 1 },
        Event::TaskDrop { task: 1 },
        Event::Enqueue { task: 1 },
        Event::Enqueue { task: 1 },
        Event::Park { timeout: None },
    ];
    assert_eq!(broken_at(queued_once, &events), None);
    assert_eq!(broken_at(parks_only_when_idle, &events), None);
    // The number is a new task's.
    let again = [
        &events[..5],
        &[Event::Spawn { task: 1 }, Event::Enqueue { task: 1 }, Event::Park { timeout: None }],
    ]
    .concat();
    assert_eq!(broken_at(parks_only_when_idle, &again), Some(7));
}

#[test]
fn the_thread_parks_only_when_idle() {
    let park = Event::Park { timeout: None };
    let busy = [Event::Enqueue { task: 1 }, park.clone()];
    assert_eq!(broken_at(parks_only_when_idle, &busy), Some(1));
    let idle = [Event::Enqueue { task: 1 }, Event::PollStart { task: 1 }, park];
    assert_eq!(broken_at(parks_only_when_idle, &idle), None);
    let glance = [Event::Enqueue { task: 1 }, Event::Park { timeout: Some(Duration::ZERO) }];
    assert_eq!(broken_at(parks_only_when_idle, &glance), None);

    let mut elsewhere = records(&busy);
    elsewhere[1].thread = 1;
    assert_eq!(parks_only_when_idle(&elsewhere), Ok(()));
}

#[test]
fn the_kernel_is_asked_for_what_the_slots_wait_for() {
    let fd = 7;
    let add = Event::FdAdd { fd };
    let reader = Event::SlotSet { fd, slot: Direction::Read };
    let writer = Event::SlotSet { fd, slot: Direction::Write };
    let ask = |read, write| Event::Interest { fd, read, write };
    let park = Event::Park { timeout: Some(Duration::ZERO) };

    let good = [
        add.clone(),
        reader.clone(),
        ask(true, false),
        writer.clone(),
        ask(true, true),
        park.clone(),
        Event::Ready { fd, read: true, write: false },
        Event::SlotClear { fd, slot: Direction::Read },
        ask(false, true),
        park.clone(),
        Event::FdDelete { fd },
        Event::SlotClear { fd, slot: Direction::Write },
        park.clone(),
    ];
    assert_eq!(broken_at(interest_equals_slots, &good), None);

    // Fault S3: the writer's interest took the place of the reader's.
    let overwritten =
        [add.clone(), reader.clone(), ask(true, false), writer, ask(false, true), park.clone()];
    assert_eq!(broken_at(interest_equals_slots, &overwritten), Some(5));

    // A report disarms the registration, and nobody asked again.
    let disarmed =
        [add, reader, ask(true, false), Event::Ready { fd, read: false, write: true }, park];
    assert_eq!(broken_at(interest_equals_slots, &disarmed), Some(4));
}

#[test]
fn timers_come_home_once_after_they_were_added() {
    let (set, fire, cancel) = (
        |timer| Event::TimerSet { timer },
        |timer| Event::TimerFire { timer },
        |timer| Event::TimerCancel { timer },
    );
    let broken_at = |events: &[Event]| {
        let records = records(events);
        // A run that is not over yet breaks no other rule.
        assert_eq!(check(&records), Ok(()));
        timers_come_home(&records).err().map(|violation| violation.seq)
    };
    assert_eq!(broken_at(&[set(1), set(2), cancel(2), fire(1)]), None);
    // The next runtime counts from 1 again.
    assert_eq!(broken_at(&[set(1), fire(1), set(1), cancel(1)]), None);

    assert_eq!(broken_at(&[set(1), set(2), fire(1)]), Some(1));
    assert_eq!(broken_at(&[set(1), set(1), fire(1)]), Some(1));
    assert_eq!(broken_at(&[set(1), fire(1), cancel(1)]), Some(2));
    assert_eq!(broken_at(&[fire(1), set(1), cancel(1)]), Some(0));

    let mut elsewhere = records(&[set(1), fire(1)]);
    elsewhere[1].thread = 1;
    assert!(timers_come_home(&elsewhere).is_err());
}

fn sqe(op: u64) -> Event {
    Event::Sqe { op, kind: OpKind::Recv }
}

fn cqe(op: u64) -> Event {
    Event::Cqe { op, ok: true }
}

fn lent(op: u64) -> Event {
    Event::BufferLent { op }
}

fn home(op: u64) -> Event {
    Event::BufferHome { op }
}

#[test]
fn an_operation_is_completed_once_after_it_was_submitted() {
    let rule = one_completion_per_operation;
    let submit = Event::Submit { count: 2 };
    let cancel = Event::OpCancel { op: 2 };
    let good = [sqe(1), sqe(2), submit, cancel, cqe(2), Event::Cqe { op: 1, ok: false }];
    assert_eq!(broken_at(rule, &good), None);
    // The next ring counts from 1 again.
    assert_eq!(broken_at(rule, &[sqe(1), cqe(1), sqe(1), cqe(1)]), None);
    // A run may end in between.
    assert_eq!(broken_at(rule, &[sqe(1)]), None);

    assert_eq!(broken_at(rule, &[sqe(1), cqe(1), cqe(1)]), Some(2));
    assert_eq!(broken_at(rule, &[cqe(1), sqe(1)]), Some(0));
    assert_eq!(broken_at(rule, &[sqe(1), sqe(1)]), Some(1));

    let mut elsewhere = records(&[sqe(1), cqe(1)]);
    elsewhere[1].thread = 1;
    assert!(one_completion_per_operation(&elsewhere).is_err());
}

#[test]
fn a_buffer_comes_home_once_and_not_before_its_operation_is_completed() {
    let rule = buffers_stay_until_completion;
    assert_eq!(broken_at(rule, &[sqe(1), lent(1), cqe(1), home(1)]), None);
    let two = [sqe(1), lent(1), sqe(2), lent(2), cqe(2), home(2), cqe(1), home(1)];
    assert_eq!(broken_at(rule, &two), None);
    assert_eq!(broken_at(rule, &[sqe(1), lent(1)]), None);

    // The future was dropped, and took the buffer along.
    let early = [sqe(1), lent(1), Event::OpCancel { op: 1 }, home(1), cqe(1)];
    assert_eq!(broken_at(rule, &early), Some(3));
    assert_eq!(broken_at(rule, &[sqe(1), lent(1), cqe(1), home(1), home(1)]), Some(4));
    assert_eq!(broken_at(rule, &[sqe(1), cqe(1), home(1)]), Some(2));

    let mut elsewhere = records(&[sqe(1), lent(1), cqe(1), home(1)]);
    elsewhere[3].thread = 1;
    assert!(buffers_stay_until_completion(&elsewhere).is_err());
}

#[test]
fn operations_and_buffers_are_home_at_the_end() {
    let broken_at = |events: &[Event]| {
        let records = records(events);
        // A run that is not over yet breaks no other rule.
        assert_eq!(check(&records), Ok(()));
        operations_come_home(&records).err().map(|violation| violation.seq)
    };
    assert_eq!(broken_at(&[sqe(1), lent(1), sqe(2), cqe(1), home(1), cqe(2)]), None);

    assert_eq!(broken_at(&[sqe(1), sqe(2), cqe(1)]), Some(1));
    assert_eq!(broken_at(&[sqe(1), lent(1), cqe(1)]), Some(1));

    let mut elsewhere = records(&[sqe(1), cqe(1)]);
    elsewhere[1].thread = 1;
    assert!(operations_come_home(&elsewhere).is_err());
}
