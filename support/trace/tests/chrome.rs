//! What Perfetto gets of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use trace::{Cast, Event, Place, PollResult, Record, to_chrome_trace};

/// What Perfetto makes of a run.
#[derive(Debug, Default, PartialEq)]
struct Imported {
    /// How many slices have ended.
    slices: usize,
    marks: usize,
    /// The slices that are open to the end, by the numbers of their threads, outermost first.
    open: BTreeMap<u64, Vec<String>>,
}

/// Reads a file by the rules of Chrome's Trace Event Format, as strictly as Perfetto does it: what that
/// would drop, guess or complain of, is an error here.
fn import(text: &str) -> Result<Imported, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !["ns", "ms"].map(Value::from).contains(&file["displayTimeUnit"]) {
        return Err(format!("times in {}", file["displayTimeUnit"]));
    }
    let mut imported = Imported::default();
    let mut named = BTreeSet::new();
    let mut clock = BTreeMap::new();
    let mut begun: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for event in file["traceEvents"].as_array().ok_or("no list of events")? {
        let wrong = |what: &str| Err(format!("{what}: {event}"));
        let Some(name) = event["name"].as_str().filter(|name| !name.is_empty()) else {
            return wrong("no name");
        };
        // Number 0 is the idle thread.
        let number = |key: &str| event[key].as_u64().filter(|number| *number > 0);
        let (Some(_), Some(thread)) = (number("pid"), number("tid")) else {
            return wrong("no process, or no thread");
        };
        let Some(at) = event["ts"].as_f64().filter(|at| *at >= 0.0) else {
            return wrong("no time");
        };
        if !event["args"].is_object() {
            return wrong("no arguments");
        }
        if event["ph"] == "M" {
            let says = event["args"]["name"].as_str().unwrap_or_default();
            if name != "thread_name" || says.is_empty() || !named.insert(thread) {
                return wrong("no name of a thread, or its second one");
            }
            continue;
        }
        if !named.contains(&thread) {
            return wrong("a thread without a name");
        }
        if clock.insert(thread, at).is_some_and(|before| before > at) {
            return wrong("the time runs backwards");
        }
        let open = begun.entry(thread).or_default();
        match event["ph"].as_str() {
            Some("B") => open.push(event),
            Some("E") => {
                let Some(begin) = open.pop_if(|begin| begin["name"] == name) else {
                    return wrong("the end of what is not the innermost slice");
                };
                // Perfetto puts the arguments of both together.
                let keys = |event: &Value| event["args"].as_object().cloned().unwrap_or_default();
                if keys(begin).keys().any(|key| keys(event).contains_key(key)) {
                    return wrong("the end says again what the beginning says");
                }
                imported.slices += 1;
            }
            Some("i") if event["s"] == "t" => imported.marks += 1,
            _ => return wrong("neither slice nor mark"),
        }
    }
    let names = |open: Vec<&Value>| -> Vec<String> {
        open.iter().filter_map(|begin| Some(begin["name"].as_str()?.into())).collect()
    };
    imported.open = begun
        .into_iter()
        .filter(|(_, open)| !open.is_empty())
        .map(|(thread, open)| (thread, names(open)))
        .collect();
    Ok(imported)
}

/// The events of a trace of the book, a microsecond and a half apart, and whether the run came to its end.
fn recorded(html: &str) -> (Vec<Record>, bool) {
    let lines: Vec<Value> =
        html.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let events: Vec<(usize, Event)> = lines
        .iter()
        .filter(|line| line["ev"].is_string() && line["ev"] != "end")
        .map(|line| {
            let thread = line["thread"].as_u64().unwrap_or_default() as usize;
            (thread, serde_json::from_value(line.clone()).expect("it was written by this crate"))
        })
        .collect();
    let end = lines.last().expect("a trace has an end");
    (records(&events), end["how"] == "done")
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn perfetto_takes_every_run_of_the_book() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
    let folders = fs::read_dir(pages).expect("the book is beside this crate");
    let files = folders
        .filter_map(|folder| fs::read_dir(folder.ok()?.path().join("traces")).ok())
        .flatten();
    let (mut runs, mut slices, mut left_open) = (0, 0, 0);
    for file in files {
        let file = file.expect("it can be listed").path();
        let (records, is_done) = recorded(&fs::read_to_string(&file).expect("it can be read"));
        let imported = import(&to_chrome_trace(&Cast::NAMELESS, &records))
            .unwrap_or_else(|wrong| panic!("{}: {wrong}", file.display()));
        let told = imported.marks + 2 * imported.slices;
        let open = imported.open.values().map(Vec::len).sum::<usize>();
        assert_eq!(told + open, records.len(), "{}", file.display());
        assert!(!is_done || open == 0, "{}: {:?}", file.display(), imported.open);
        runs += 1;
        slices += imported.slices;
        left_open += usize::from(open > 0);
    }
    println!("{runs} runs with {slices} slices, {left_open} of them left in the middle of one");
    assert!(runs > 0 && slices > 0 && left_open > 0);
}

#[test]
fn what_perfetto_would_not_take_is_seen() {
    let events = [
        (0, Event::PollStart { task: 1 }),
        (1, Event::Park { timeout: None }),
        (0, Event::WakerClone { task: 1 }),
        (0, Event::PollEnd { task: 1, result: PollResult::Ready, wakers: 0 }),
    ];
    let text = to_chrome_trace(&Cast::NAMELESS, &records(&events));
    let open = BTreeMap::from([(2, vec!["park".to_string()])]);
    assert_eq!(import(&text), Ok(Imported { slices: 1, marks: 1, open }));
    for (from, to, wanted) in [
        (r#""ph":"B""#, r#""ph":"X""#, "neither slice nor mark"),
        (r#""ph":"i""#, r#""ph":"E""#, "not the innermost"),
        (r#""name":"poll task 1","ph":"E""#, r#""name":"poll","ph":"E""#, "not the innermost"),
        (r#""s":"t""#, r#""s":"g""#, "neither slice nor mark"),
        (r#""ts":3.0"#, r#""ts":-3.0"#, "no time"),
        (r#""ts":3.0"#, r#""ts":5.0"#, "backwards"),
        (r#""tid":1"#, r#""tid":0"#, "no thread"),
        (r#""tid":2"#, r#""tid":3"#, "without a name"),
        (r#""tid":2"#, r#""tid":1"#, "its second one"),
        (r#""end":{"#, r#""event":{"#, "says again"),
        (r#""name":"park""#, r#""name":"""#, "no name"),
        ("traceEvents", "events", "no list"),
    ] {
        let broken = text.replacen(from, to, 1);
        assert_ne!(broken, text, "{from} is not there");
        let said = import(&broken).expect_err(to);
        assert!(said.contains(wanted), "{to}: {said}");
    }
}

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
    let expected = expected.map(|(ph, ts, name)| (ph.to_string(), ts, 1, name.to_string()));
    assert_eq!(told(&events), expected);
}

#[test]
fn each_thread_has_a_track_of_its_own_with_a_name() {
    let events = [(1, Event::Unpark), (0, Event::Spawn { task: 2 })];
    assert_eq!(told(&events).iter().map(|(_, _, thread, _)| *thread).collect::<Vec<_>>(), [2, 1]);
    let text = to_chrome_trace(&Cast::NAMELESS, &records(&events));
    let file: Value = serde_json::from_str(&text).expect("it is JSON");
    let names: Vec<_> = file["traceEvents"]
        .as_array()
        .expect("a list of events")
        .iter()
        .filter(|event| event["ph"] == "M" && event["name"] == "thread_name")
        .map(|event| (event["tid"].as_u64(), event["args"]["name"].as_str()))
        .collect();
    assert_eq!(names, [(Some(1), Some("the thread")), (Some(2), Some("thread 1"))]);
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
