//! What a page of the book gets of a run.

use std::path::Path;
use std::time::Duration;

use trace::{
    Cast, Cause, Direction, End, Event, Io, MAIN, OpKind, Place, PollResult, Record, Replay,
};

// The marks are cut in two for those who look for regions in the whole checkout.
const CODE: &str = concat!(
    "fn park() {\n    // ANCH",
    "OR: body\n    emit!(Event::Park);\n    // ANCH",
    "OR_END: body\n    sleep::<u8>();\n}\n"
);

fn records(events: &[Event]) -> Vec<Record> {
    let place = Place::new("chapters/1/tests/../src/park.rs", 3);
    let record = |(seq, event): (usize, &Event)| Record {
        seq,
        at: Duration::from_nanos(seq as u64),
        thread: 0,
        place: place.clone(),
        event: event.clone(),
    };
    events.iter().enumerate().map(record).collect()
}

fn replay(records: &[Record]) -> Replay<'_> {
    let cast = Cast { tasks: &[(1, "the <reader>")], ..Cast::NAMELESS };
    Replay { title: "A run", command: None, cast, skip: &[], records, end: End::Done }
}

fn html(replay: &Replay<'_>) -> String {
    replay.to_html(|path| (path == Path::new("chapters/1/src/park.rs")).then(|| CODE.to_string()))
}

/// The lines that begin with `start`.
fn lines<'a>(html: &'a str, start: &str) -> Vec<&'a str> {
    html.lines().filter(|line| line.starts_with(start)).collect()
}

fn note(text: &str) -> Event {
    Event::Note { text: text.into() }
}

#[test]
fn events_are_numbered_without_notes_and_descriptors_from_one() {
    let events = [Event::FdAdd { fd: 40 }, note("Hello."), Event::FdDelete { fd: 40 }];
    let html = html(&replay(&records(&events)));
    assert_eq!(
        lines(&html, "{\"seq\""),
        [
            r#"{"seq":0,"ev":"fd_add","fd":1,"place":0}"#,
            r#"{"seq":1,"ev":"fd_delete","fd":1,"place":0}"#,
        ]
    );
    assert_eq!(
        lines(&html, "{\"ev\""),
        [r#"{"ev":"note","text":"Hello."}"#, r#"{"ev":"end","how":"done"}"#]
    );
}

#[test]
fn a_place_has_its_line_between_its_neighbours_without_marks() {
    let html = html(&replay(&records(&[Event::Unpark])));
    assert_eq!(
        lines(&html, "{\"file\""),
        [concat!(
            r#"{"file":"chapters/1/src/park.rs","line":3,"text":["#,
            r#""fn park() {","    emit!(Event::Park);","    sleep::\u003cu8>();"]}"#
        )]
    );
}

#[test]
fn a_line_that_is_not_there_any_more_is_empty() {
    let mut records = records(&[Event::Unpark]);
    records[0].place.line = 300;
    let html = html(&replay(&records));
    assert!(lines(&html, "{\"file\"")[0].ends_with(r#""text":["","",""]}"#), "{html}");
}

#[test]
fn nothing_in_the_script_looks_like_its_end() {
    let html = html(&replay(&records(&[note("</script> & so on")])));
    assert_eq!(html.matches("</script>").count(), 1, "{html}");
    assert!(html.contains("<li class=\"rt-note\">&lt;/script&gt; &amp; so on</li>"), "{html}");
}

#[test]
fn nothing_in_the_piece_ends_an_html_block_of_markdown() {
    let html = html(&replay(&records(&[note("")])));
    assert!(html.lines().all(|line| !line.trim().is_empty()), "{html}");
}

#[test]
fn what_is_skipped_has_no_sentence_and_is_recorded_all_the_same() {
    let records = records(&[Event::WakerClone { task: 1 }, Event::Unpark]);
    let html = html(&Replay { skip: &["waker_clone"], ..replay(&records) });
    assert_eq!(lines(&html, "{\"seq\"").len(), 2);
    assert_eq!(
        lines(&html, "<li"),
        [
            "<li value=\"1\">The thread is awake.</li>",
            "<li class=\"rt-end\">The program has come to its end.</li>",
        ]
    );
}

#[test]
fn rules_that_the_run_is_about_are_listed_with_the_event_that_breaks_them() {
    let events = [
        note("Hello."),
        Event::PollStart { task: MAIN },
        Event::PollEnd { task: MAIN, result: PollResult::Pending, wakers: 0 },
    ];
    let html = html(&replay(&records(&events)));
    assert_eq!(
        lines(&html, "{\"rule\""),
        [concat!(
            r#"{"rule":"pending_keeps_a_waker","says":"Who is pending left a waker somewhere.","#,
            r#""at_end":false,"broken":{"seq":1,"#,
            r#""why":"the main future returned Pending, and nobody kept its waker"}}"#
        )]
    );
}

#[test]
fn what_holds_in_the_end_is_no_matter_for_a_run_that_hangs() {
    let records = records(&[Event::TimerSet { timer: 1 }]);
    let rules = |end| {
        let html = html(&Replay { end, ..replay(&records) });
        lines(&html, "{\"rule\"").len()
    };
    assert_eq!((rules(End::Done), rules(End::Hung)), (1, 0));
    // Who reports an error has come to the end; who panics has not.
    assert_eq!((rules(End::Error("No.".into())), rules(End::Failed("No.".into()))), (1, 0));
}

#[test]
fn a_run_that_is_cut_says_what_is_left_out_and_is_held_to_nothing_at_its_end() {
    let records = records(&[Event::TimerSet { timer: 1 }]);
    let cut = |end| {
        let html = html(&Replay { end: End::Cut(9, Box::new(end)), ..replay(&records) });
        assert!(lines(&html, "{\"rule\"").is_empty(), "{html}");
        [lines(&html, "{\"ev\""), lines(&html, "<li class=\"rt-end\"")].concat().join("\n")
    };
    assert_eq!(
        cut(End::Done),
        "{\"ev\":\"end\",\"how\":\"done\"}\n<li class=\"rt-end\">These were the first 1 of 9 recorded events. \
         The program has come to its end.</li>"
    );
    // It may go round and round, and then there is always more that happens.
    assert_eq!(
        cut(End::Hung),
        "{\"ev\":\"end\",\"how\":\"hung\"}\n<li class=\"rt-end\">These were the first 1 of 9 recorded events. \
         The program does not end in time.</li>"
    );
}

#[test]
fn each_event_has_a_sentence() {
    let fd = 9;
    let (read, write) = (Direction::Read, Direction::Write);
    let wake = |by| Event::Wake { task: 1, by };
    let park = |timeout| Event::Park { timeout };
    let poll_end = |result, wakers| Event::PollEnd { task: 1, result, wakers };
    let told = [
        (Event::Spawn { task: 2 }, "Task 2 is spawned."),
        (Event::Enqueue { task: 1 }, "The &lt;reader&gt; goes into the run queue."),
        (Event::PollStart { task: MAIN }, "The main future is polled."),
        (poll_end(PollResult::Ready, 2), "The &lt;reader&gt; is ready."),
        (poll_end(PollResult::Panicked, 0), "The &lt;reader&gt; panics."),
        (
            poll_end(PollResult::Pending, 0),
            "The &lt;reader&gt; is pending, and no waker of it is left.",
        ),
        (
            poll_end(PollResult::Pending, 1),
            "The &lt;reader&gt; is pending, and one waker of it is kept.",
        ),
        (
            poll_end(PollResult::Pending, 2),
            "The &lt;reader&gt; is pending, and 2 wakers of it are kept.",
        ),
        (Event::TaskDrop { task: 2 }, "The future of task 2 is dropped."),
        (Event::WakerClone { task: 2 }, "One more waker of task 2 is made."),
        (Event::WakerDrop { task: 2 }, "One waker of task 2 is dropped."),
        (wake(Cause::Outside), "The &lt;reader&gt; is woken from outside."),
        (wake(Cause::Task(1)), "The &lt;reader&gt; is woken by itself."),
        (wake(Cause::Task(2)), "The &lt;reader&gt; is woken by task 2."),
        (
            wake(Cause::Fd(fd, read)),
            "The &lt;reader&gt; is woken because descriptor 1 can be read.",
        ),
        (
            wake(Cause::Fd(fd, write)),
            "The &lt;reader&gt; is woken because descriptor 1 can be written.",
        ),
        (wake(Cause::Timer(2)), "The &lt;reader&gt; is woken because deadline 2 has come."),
        (wake(Cause::Op(4)), "The &lt;reader&gt; is woken because operation 4 is completed."),
        (park(None), "The thread goes to sleep, for as long as it takes."),
        (park(Some(Duration::ZERO)), "The thread looks at its sources, without sleeping."),
        (park(Some(Duration::from_millis(5))), "The thread goes to sleep, for 5ms at most."),
        (Event::Unpark, "The thread is awake."),
        (Event::FdAdd { fd }, "The reactor registers descriptor 1 with the kernel."),
        (Event::FdDelete { fd }, "The reactor takes descriptor 1 off the kernel's list."),
        (
            Event::Interest { fd, read: true, write: true },
            "The kernel is asked to report when descriptor 1 can be read or written.",
        ),
        (
            Event::Interest { fd, read: false, write: false },
            "The kernel is asked to report nothing of descriptor 1.",
        ),
        (Event::SlotSet { fd, slot: read }, "The reactor keeps a waker for descriptor 1, to read."),
        (
            Event::SlotClear { fd, slot: write },
            "The reactor gives up the waker for descriptor 1, to write.",
        ),
        (
            Event::Ready { fd, read: true, write: false },
            "The kernel reports that descriptor 1 can be read.",
        ),
        (
            Event::Try { fd, slot: read, result: Io::WouldBlock },
            "A read of descriptor 1 would block.",
        ),
        (Event::TimerSet { timer: 1 }, "Deadline 1 is added."),
        (Event::TimerWaker { timer: 1 }, "Deadline 1 gets another waker, in the place of its own."),
        (
            Event::TimerHang { timer: 1, wheel: 1, slot: 0 },
            "Deadline 1 hangs in slot 0 of wheel 2.",
        ),
        (
            Event::WheelTurn { wheel: 1, slot: 1, tick: 64 },
            "It is tick 64: the time of slot 1 of wheel 2.",
        ),
        (Event::InboxPush { first: true }, "A message goes into the inbox, which was empty."),
        (Event::InboxPush { first: false }, "A message goes into the inbox, behind others."),
        (Event::InboxTake { count: 0 }, "The thread finds its inbox empty."),
        (Event::InboxTake { count: 1 }, "The thread takes a message out of its inbox."),
        (Event::InboxTake { count: 3 }, "The thread takes 3 messages out of its inbox."),
        (Event::TimerFire { timer: 1 }, "Deadline 1 has come."),
        (Event::TimerCancel { timer: 1 }, "Deadline 1 is taken back."),
        (
            Event::Sqe { op: 1, kind: OpKind::Recv },
            "Operation 1 (recv) goes into the submission queue.",
        ),
        (Event::Submit { count: 1 }, "The kernel takes one entry of the submission queue."),
        (Event::Submit { count: 2 }, "The kernel takes 2 entries of the submission queue."),
        (Event::Cqe { op: 1, ok: true }, "Operation 1 is completed."),
        (Event::Cqe { op: 1, ok: false }, "Operation 1 is completed, with an error."),
        (Event::OpCancel { op: 1 }, "The kernel will be asked to give operation 1 up."),
        (Event::BufferLent { op: 1 }, "The buffer of operation 1 goes to the kernel."),
        (Event::BufferHome { op: 1 }, "The buffer of operation 1 has come home."),
    ];
    for (event, sentence) in told {
        let html = html(&replay(&records(&[event])));
        assert_eq!(lines(&html, "<li value")[0], format!("<li value=\"0\">{sentence}</li>"));
    }
}

#[test]
fn another_thread_is_named_and_the_first_is_not() {
    let mut records = records(&[Event::Unpark, Event::PollStart { task: 1 }]);
    records.iter_mut().for_each(|record| record.thread = 2);
    let html = html(&Replay { end: End::Failed("It fell.".into()), ..replay(&records) });
    assert_eq!(
        lines(&html, "<li"),
        [
            "<li value=\"0\">Thread 2 is awake.</li>",
            "<li value=\"1\">Thread 2: the &lt;reader&gt; is polled.</li>",
            "<li class=\"rt-end\">The program fails. It fell.</li>",
        ]
    );
}
