//! Records on their way from one process to another: a line for each, which begins with a mark, so that
//! it can stand among the lines that the process prints.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Event, Place, Record};

/// The character that announces a JSON text in a stream, by RFC 7464.
const MARK: char = '\u{1e}';

#[derive(Serialize, Deserialize)]
struct Line {
    /// Since the recording was made.
    at: Duration,
    thread: usize,
    #[serde(flatten)]
    place: Place,
    event: Event,
}

pub(crate) fn line(record: &Record) -> String {
    let Record { at, thread, place, event, .. } = record.clone();
    let line = Line { at, thread, place, event };
    let json = serde_json::to_string(&line).expect("an event has only numbers and strings");
    format!("{MARK}{json}\n")
}

/// Reads what [`Recording::copy_to`](crate::Recording::copy_to) has written, perhaps between other
/// lines. Each of those becomes an [`Event::Note`].
///
/// # Errors
/// With the first line that has the mark of a record, and is none.
pub fn read_copy(text: &str) -> Result<Vec<Record>, String> {
    text.lines().enumerate().map(|(seq, line)| read_line(seq, line)).collect()
}

fn read_line(seq: usize, line: &str) -> Result<Record, String> {
    let Some(json) = line.strip_prefix(MARK) else {
        let event = Event::Note { text: line.to_string() };
        return Ok(Record { seq, at: Duration::ZERO, thread: 0, place: Place::default(), event });
    };
    let line: Line = serde_json::from_str(json).map_err(|error| format!("{error}: {json}"))?;
    let Line { at, thread, place, event } = line;
    Ok(Record { seq, at, thread, place, event })
}
