//! Runs for <https://ui.perfetto.dev>, and whatever else reads the trace events of Chrome.

use serde::Serialize;

use crate::{Cast, Event, Record};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    trace_events: Vec<TraceEvent<'a>>,
    display_time_unit: &'static str,
}

#[derive(Serialize)]
struct TraceEvent<'a> {
    name: String,
    /// `B` and `E`: a slice begins, and ends. `i`: something happens. `M`: something has a name.
    ph: &'static str,
    /// Microseconds.
    ts: f64,
    pid: usize,
    tid: usize,
    /// How far a line is drawn for what happens: `t`, in its own thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    args: Args<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Args<'a> {
    Event {
        event: &'a Event,
        place: String,
    },
    /// What is said of the end of a slice lies beside what was said of its beginning.
    End {
        end: &'a Event,
        end_place: String,
    },
    Name {
        name: String,
    },
}

/// The number of the process. The thread with the same number is its main thread.
const PROCESS: usize = 1;

/// The number of a thread. There is no 0: that is the idle thread of the kernel, which is not shown.
fn number(thread: usize) -> usize {
    PROCESS + thread
}

/// Writes a run as JSON that <https://ui.perfetto.dev> opens: polls and sleeps as slices on the track
/// of their thread, all other events as marks. A poll or sleep that never ended is open to the end.
pub fn to_chrome_trace(cast: &Cast, records: &[Record]) -> String {
    let mut threads: Vec<usize> = records.iter().map(|record| record.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    let names = threads.into_iter().map(|thread| TraceEvent {
        name: "thread_name".into(),
        ph: "M",
        ts: 0.0,
        pid: PROCESS,
        tid: number(thread),
        s: None,
        args: Args::Name { name: cast.thread(thread) },
    });
    let file = File {
        trace_events: names.chain(records.iter().map(|record| trace_event(cast, record))).collect(),
        display_time_unit: "ns",
    };
    serde_json::to_string(&file).expect("an event has only numbers and strings")
}

fn trace_event<'a>(cast: &Cast, record: &'a Record) -> TraceEvent<'a> {
    let Record { at, thread, place, event, .. } = record;
    let (ph, name) = match event {
        Event::PollStart { task } => ("B", format!("poll {}", cast.task(*task))),
        Event::PollEnd { task, .. } => ("E", format!("poll {}", cast.task(*task))),
        Event::Park { .. } => ("B", "park".into()),
        Event::Unpark => ("E", "park".into()),
        _ => ("i", cast.sentence(*thread, event)),
    };
    let place = format!("{}:{}", place.file, place.line);
    TraceEvent {
        name,
        ph,
        ts: at.as_nanos() as f64 / 1000.0,
        pid: PROCESS,
        tid: number(*thread),
        s: (ph == "i").then_some("t"),
        args: if ph == "E" {
            Args::End { end: event, end_place: place }
        } else {
            Args::Event { event, place }
        },
    }
}
