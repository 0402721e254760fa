use std::os::fd::RawFd;

use serde::Serialize;

use crate::{Event, Record};

#[derive(Serialize)]
struct Line<'a> {
    seq: usize,
    #[serde(skip_serializing_if = "is_first")]
    thread: usize,
    #[serde(flatten)]
    event: &'a Event,
}

pub(crate) fn is_first(thread: &usize) -> bool {
    *thread == 0
}

/// Writes one JSON object per line, for example `{"seq":17,"ev":"wake","task":3,"by":"fd1.read"}`.
///
/// The text is the same for every run that takes the same steps: clock times are left out, and file
/// descriptors are numbered from 1 in the order in which they appear. The `thread` is left out where
/// it is the first.
pub fn to_json_lines(records: &[Record]) -> String {
    let mut lines = String::new();
    for record in with_numbered_fds(records) {
        let line = Line { seq: record.seq, thread: record.thread, event: &record.event };
        lines += &serde_json::to_string(&line).expect("an event has only numbers and strings");
        lines.push('\n');
    }
    lines
}

/// The same records, with the file descriptors numbered from 1 in the order in which they appear.
pub(crate) fn with_numbered_fds(records: &[Record]) -> Vec<Record> {
    let mut seen: Vec<RawFd> = Vec::new();
    let mut records = records.to_vec();
    for fd in records.iter_mut().filter_map(|record| record.event.fd_mut()) {
        let place = seen.iter().position(|known| known == fd).unwrap_or_else(|| {
            seen.push(*fd);
            seen.len() - 1
        });
        *fd = place as RawFd + 1;
    }
    records
}
