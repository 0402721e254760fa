//! What Perfetto gets of a run.

use std::time::Duration;

use serde_json::Value;
use trace::{Cast, Event, Place, PollResult, Record, to_chrome_trace};

fn records(events: &[(usize, Event)]) -> Vec<Record> {
    let record = |(seq, (thread, event)): (usize, &(usize, Event))| Record {
        seq,
        at: Duration::from_nanos(1500 * seq as u64),
        thread: *thread,
        place: Place::new("src/a.rs", 3),
        event: event.clone(),
    };
    events.iter().enumerate().map(record).collect()
}

/// Of all events that are no names: phase, microseconds, thread and name.
fn told(events: &[(usize, Event)]) -> Vec<(String, f64, u64, String)> {
    let cast = Cast { tasks: &[(1, "the \"reader\"")], ..Cast::NAMELESS };
    let text = to_chrome_trace(&cast, &records(events));
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = file["traceEvents"].as_array().expect("a list of events");
    let told = |event: &Value| {
        assert_eq!(event["pid"], 1);
        (
            event["ph"].as_str().expect("each has a phase").to_string(),
            event["ts"].as_f64().expect("each has a time"),
            event["tid"].as_u64().expect("each has a thread"),
            event["name"].as_str().expect("each has a name").to_string(),
        )
    };
    events.iter().filter(|event| event["ph"] != "M").map(told).collect()
}

#[test]
fn polls_and_sleeps_are_slices_and_the_rest_are_marks() {
    let events = [
        (0, Event::PollStart { task: 1 }),
        (0, Event::WakerClone { task: 1 }),
        (0, Event::PollEnd { task: 1, result: PollResult::Pending, wakers: 1 }),
        (0, Event::Park { timeout: None }),
        (0, Event::Unpark),
    ];
    let expected = [
        ("B", 0.0, "poll the \"reader\""),
        ("i", 1.5, "One more waker of the \"reader\" is made."),
        ("E", 3.0, "poll the \"reader\""),
        ("B", 4.5, "park"),
        ("E", 6.0, "park"),
    ];
    let expected = expected.map(|(ph, ts, name)| (ph.to_string(), ts, 0, name.to_string()));
    assert_eq!(told(&events), expected);
}

#[test]
fn each_thread_has_a_track_of_its_own_with_a_name() {
    let events = [(1, Event::Unpark), (0, Event::Spawn { task: 2 })];
    assert_eq!(told(&events).iter().map(|(_, _, thread, _)| *thread).collect::<Vec<_>>(), [1, 0]);
    let text = to_chrome_trace(&Cast::NAMELESS, &records(&events));
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let names: Vec<_> = file["traceEvents"]
        .as_array()
        .expect("a list of events")
        .iter()
        .filter(|event| event["ph"] == "M" && event["name"] == "thread_name")
        .map(|event| (event["tid"].as_u64(), event["args"]["name"].as_str()))
        .collect();
    assert_eq!(names, [(Some(0), Some("the thread")), (Some(1), Some("thread 1"))]);
}

#[test]
fn an_event_says_where_it_was_emitted() {
    let text = to_chrome_trace(&Cast::NAMELESS, &records(&[(0, Event::Spawn { task: 2 })]));
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let args = &file["traceEvents"][1]["args"];
    assert_eq!(args["place"], "src/a.rs:3");
    assert_eq!(args["event"]["ev"], "spawn");
}

#[test]
fn a_run_without_events_is_a_file_all_the_same() {
    let text = to_chrome_trace(&Cast::NAMELESS, &[]);
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(file["traceEvents"], Value::Array(Vec::new()));
}
