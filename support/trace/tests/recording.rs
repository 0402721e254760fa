//! What is recorded, by whom, and how it is written down.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use trace::{
    Cause, Direction, Event, Io, MAIN, OpKind, PollResult, Recording, caused_by, emit, explain,
    read_copy, to_json_lines,
};

#[test]
fn only_attached_threads_are_recorded() {
    let recording = Recording::new();
    emit!(Event::Spawn { task: 1 });
    let attached = recording.attach();
    emit!(Event::Spawn { task: 2 });
    let other = recording.clone();
    thread::spawn(move || {
        emit!(Event::Spawn { task: 3 });
        let _attached = other.attach();
        emit!(Event::Spawn { task: 4 });
    })
    .join()
    .unwrap();
    drop(attached);
    emit!(Event::Spawn { task: 5 });

    let seen: Vec<_> =
        recording.records().into_iter().map(|record| (record.thread, record.event)).collect();
    assert_eq!(seen, [(0, Event::Spawn { task: 2 }), (1, Event::Spawn { task: 4 })]);
}

#[test]
fn an_inner_recording_gives_way_to_the_outer_one() {
    let (outer, inner) = (Recording::new(), Recording::new());
    let _outer = outer.attach();
    let attached = inner.attach();
    emit!(Event::Unpark);
    drop(attached);
    emit!(Event::Spawn { task: 1 });
    assert_eq!(inner.events(), [Event::Unpark]);
    assert_eq!(outer.events(), [Event::Spawn { task: 1 }]);
}

#[test]
fn a_wake_gets_the_innermost_cause() {
    let recording = Recording::new();
    let _attached = recording.attach();
    let wake = || emit!(Event::Wake { task: 1, by: Cause::Outside });
    wake();
    let task = caused_by(Cause::Task(2));
    wake();
    let fd = caused_by(Cause::Fd(7, Direction::Read));
    wake();
    drop(fd);
    wake();
    drop(task);
    wake();

    let causes: Vec<_> = recording
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Wake { by, .. } => by,
            other => panic!("{other:?}"),
        })
        .collect();
    let (task, fd) = (Cause::Task(2), Cause::Fd(7, Direction::Read));
    assert_eq!(causes, [Cause::Outside, task, fd, task, Cause::Outside]);
}

#[test]
fn json_lines_name_the_event_and_number_the_descriptors() {
    let recording = Recording::new();
    let _attached = recording.attach();
    emit!(Event::FdAdd { fd: 40 });
    emit!(Event::FdAdd { fd: 12 });
    emit!(Event::Try { fd: 40, slot: Direction::Write, result: Io::WouldBlock });
    emit!(Event::Park { timeout: Some(Duration::from_millis(1500)) });
    emit!(Event::Wake { task: 3, by: Cause::Fd(12, Direction::Read) });
    let lines = to_json_lines(&recording.records());
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            r#"{"seq":0,"ev":"fd_add","fd":1}"#,
            r#"{"seq":1,"ev":"fd_add","fd":2}"#,
            r#"{"seq":2,"ev":"try","fd":1,"slot":"write","result":"would_block"}"#,
            r#"{"seq":3,"ev":"park","timeout":{"secs":1,"nanos":500000000}}"#,
            r#"{"seq":4,"ev":"wake","task":3,"by":"fd2.read"}"#,
        ]
    );
}

#[test]
fn an_event_is_read_back_as_it_was_written() {
    for cause in [Cause::Outside, Cause::Task(3), Cause::Fd(7, Direction::Write), Cause::Op(5)] {
        let event = Event::Wake { task: 1, by: cause };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
    for nonsense in
        ["", "fd", "fd7", "fd7.up", "fdx.read", "task", "task-1", "op", "op5.read", "nobody"]
    {
        let text = format!(r#"{{"ev":"wake","task":1,"by":"{nonsense}"}}"#);
        assert!(serde_json::from_str::<Event>(&text).is_err(), "{nonsense}");
    }
}

#[test]
fn the_events_of_a_ring_are_written_down_and_read_back() {
    let recording = Recording::new();
    let _attached = recording.attach();
    emit!(Event::Sqe { op: 1, kind: OpKind::Recv });
    emit!(Event::BufferLent { op: 1 });
    emit!(Event::Submit { count: 1 });
    emit!(Event::OpCancel { op: 1 });
    emit!(Event::Cqe { op: 1, ok: false });
    emit!(Event::BufferHome { op: 1 });
    emit!(Event::Wake { task: 3, by: Cause::Op(1) });
    let lines = to_json_lines(&recording.records());
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            r#"{"seq":0,"ev":"sqe","op":1,"kind":"recv"}"#,
            r#"{"seq":1,"ev":"buffer_lent","op":1}"#,
            r#"{"seq":2,"ev":"submit","count":1}"#,
            r#"{"seq":3,"ev":"op_cancel","op":1}"#,
            r#"{"seq":4,"ev":"cqe","op":1,"ok":false}"#,
            r#"{"seq":5,"ev":"buffer_home","op":1}"#,
            r#"{"seq":6,"ev":"wake","task":3,"by":"op1"}"#,
        ]
    );
    for (line, event) in lines.lines().zip(recording.events()) {
        assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
    }
}

#[test]
fn a_record_knows_the_line_that_emitted_it() {
    let recording = Recording::new();
    let _attached = recording.attach();
    emit!(Event::Unpark);
    let line = line!() - 1;
    let place = &recording.records()[0].place;
    assert_eq!((&*place.file, place.line), (file!(), line));
}

#[test]
fn a_thread_can_wait_for_an_event() {
    let recording = Recording::new();
    let parks = |records: &[trace::Record]| {
        records.iter().any(|record| matches!(record.event, Event::Park { .. }))
    };
    assert!(!recording.wait_until(Duration::ZERO, parks));
    let other = recording.clone();
    let waiter = thread::spawn(move || other.wait_until(Duration::from_secs(30), parks));
    let _attached = recording.attach();
    emit!(Event::Unpark);
    emit!(Event::Park { timeout: None });
    assert!(waiter.join().unwrap());
}

/// A writer that shares what is written to it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_copy_among_other_lines_is_read_back_with_those_as_notes() {
    let recording = Recording::new();
    let _attached = recording.attach();
    let mut paper = Shared::default();
    recording.copy_to(paper.clone());
    emit!(Event::Park { timeout: Some(Duration::from_millis(5)) });
    writeln!(paper, "main: I wait.").unwrap();
    emit!(Event::Wake { task: 1, by: Cause::Fd(7, Direction::Read) });

    let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let read = read_copy(&text).unwrap();
    let [park, wake] = &recording.records()[..] else { panic!("two records") };
    assert_eq!((&read[0].event, &read[0].place), (&park.event, &park.place));
    assert_eq!(read[1].event, Event::Note { text: "main: I wait.".into() });
    assert_eq!((&read[2].event, &read[2].place), (&wake.event, &wake.place));
    assert_eq!(read.len(), 3);
}

#[test]
fn a_marked_line_that_is_no_record_is_refused() {
    let wrong = read_copy("fine\n\u{1e}{\"thread\":0}\n").unwrap_err();
    assert!(wrong.contains("missing field"), "{wrong}");
}

/// What [`explain`] says of a run.
fn explained(events: &[Event]) -> String {
    let recording = Recording::new();
    let _attached = recording.attach();
    for event in events {
        emit!(event.clone());
    }
    explain(&recording.records(), recording.elapsed())
}

#[test]
fn a_forgotten_waker_is_named() {
    let text = explained(&[
        Event::Spawn { task: 1 },
        Event::PollStart { task: 1 },
        Event::PollEnd { task: 1, result: PollResult::Pending, wakers: 0 },
        Event::Park { timeout: None },
    ]);
    assert!(text.contains("Task 1 has been pending"), "{text}");
    assert!(text.contains("Nobody holds its waker, so nothing can wake it."), "{text}");
    assert!(text.contains("parked") && text.contains("no timeout"), "{text}");
}

#[test]
fn a_waker_that_was_kept_and_then_dropped_is_missed() {
    let kept = [
        Event::PollStart { task: 1 },
        Event::PollEnd { task: 1, result: PollResult::Pending, wakers: 1 },
    ];
    assert!(explained(&kept).contains("1 waker(s) of it are kept somewhere"));
    let dropped = [&kept[..], &[Event::WakerDrop { task: 1 }]].concat();
    assert!(explained(&dropped).contains("Nobody holds its waker"));
}

#[test]
fn a_queued_a_running_and_a_new_task_are_told_apart() {
    let text = explained(&[
        Event::Spawn { task: 1 },
        Event::PollStart { task: 1 },
        Event::PollEnd { task: 1, result: PollResult::Pending, wakers: 1 },
        Event::Enqueue { task: 1 },
        Event::Spawn { task: 2 },
        Event::PollStart { task: MAIN },
    ]);
    assert!(text.contains("It was woken, and waits in the run queue."), "{text}");
    assert!(text.contains("Task 2 was spawned and never polled"), "{text}");
    assert!(text.contains("The main future has been inside one poll"), "{text}");
    assert!(text.contains("The thread is not parked."), "{text}");
}

#[test]
fn finished_tasks_are_not_mentioned() {
    let text = explained(&[
        Event::Spawn { task: 1 },
        Event::PollStart { task: 1 },
        Event::PollEnd { task: 1, result: PollResult::Ready, wakers: 0 },
    ]);
    assert!(!text.contains("Task 1"), "{text}");
}

#[test]
fn a_waker_that_the_kernel_was_not_asked_for_is_named() {
    let fd = 7;
    let text = explained(&[
        Event::FdAdd { fd },
        Event::SlotSet { fd, slot: Direction::Write },
        Event::Interest { fd, read: false, write: true },
        Event::SlotSet { fd, slot: Direction::Read },
        Event::Interest { fd, read: true, write: false },
        Event::Park { timeout: Some(Duration::from_secs(1)) },
    ]);
    assert!(text.contains("fd 7 (read), and the kernel was asked"), "{text}");
    assert!(text.contains("fd 7 (write), but the kernel was NOT asked"), "{text}");
    assert!(text.contains("for at most 1s"), "{text}");
}

#[test]
fn operations_that_the_kernel_has_are_named_and_those_that_are_completed_are_not() {
    let text = explained(&[
        Event::Sqe { op: 1, kind: OpKind::Accept },
        Event::Sqe { op: 2, kind: OpKind::Send },
        Event::Submit { count: 2 },
        Event::Cqe { op: 2, ok: true },
        Event::Park { timeout: None },
    ]);
    assert!(text.contains("Operation 1 (Accept) is with the kernel."), "{text}");
    assert!(!text.contains("Operation 2"), "{text}");
    assert!(text.contains("parked") && text.contains("no timeout"), "{text}");
}

#[test]
fn an_empty_recording_says_so() {
    assert!(explained(&[]).contains("Nothing was recorded"));
}

#[test]
#[cfg_attr(miri, ignore = "four million events take Miri too long")]
fn a_recording_that_is_full_keeps_what_it_has_and_says_so() {
    let recording = Recording::new();
    let _attached = recording.attach();
    for _ in 0..trace::LIMIT + 10 {
        emit!(Event::Unpark);
    }
    let records = recording.records();
    assert_eq!(records.len(), trace::LIMIT);
    let text = explain(&records, recording.elapsed());
    assert!(text.contains("Something goes round and round"), "{text}");
}
