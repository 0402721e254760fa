//! All runtimes in turns, several times over.

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::cpu;
use crate::rows::{Metric, Row};
use crate::runtimes::Peer;
use crate::stats::Summary;
use crate::worker;

/// No measurement takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// What is to be measured, how often, and for how long at a time.
pub struct Plan {
    pub rows: Vec<Row>,
    pub peers: Vec<Peer>,
    pub rounds: usize,
    /// How long a measurement of a small row should take.
    span: Duration,
    /// How many times the trial an echo, a sleep or a wake row is.
    factor: u64,
}

impl Plan {
    pub fn new(rows: Vec<Row>, peers: Vec<Peer>, quick: bool, rounds: Option<usize>) -> Plan {
        // With seven, the same machine ranked the same two rows otherwise from run to run.
        let rounds = rounds.unwrap_or(if quick { 3 } else { 15 }).max(1);
        let span = Duration::from_millis(if quick { 50 } else { 300 });
        Plan { rows, peers, rounds, span, factor: if quick { 1 } else { 2 } }
    }
}

/// All samples of one metric of one row.
pub struct Line {
    pub row: Row,
    pub metric: Metric,
    pub samples: Vec<(Peer, Vec<f64>)>,
}

impl Line {
    pub fn summaries(&self) -> impl Iterator<Item = (Peer, Summary)> {
        self.samples.iter().filter_map(|(peer, samples)| Some((*peer, Summary::of(samples)?)))
    }

    pub fn summary(&self, wanted: Peer) -> Option<Summary> {
        self.summaries().find(|(peer, _)| *peer == wanted).map(|(_, summary)| summary)
    }

    /// The runtime with the best median. The bare loops do not compete.
    pub fn first(&self) -> Option<(Peer, Summary)> {
        let competing = self.summaries().filter(|(peer, _)| !peer.is_bare());
        competing.min_by(|(_, one), (_, other)| {
            let order = one.median.total_cmp(&other.median);
            if self.metric.is_lower_better() { order } else { order.reverse() }
        })
    }
}

/// What was measured.
pub struct Table {
    pub lines: Vec<Line>,
    pub rounds: usize,
}

/// Measures all that is planned.
///
/// # Errors
/// If there is nothing to be measured, or a worker fails.
pub fn run(plan: &Plan) -> io::Result<Table> {
    let pairs: Vec<(Row, Vec<Peer>)> = plan
        .rows
        .iter()
        .map(|row| (*row, plan.peers.iter().copied().filter(|peer| peer.has(*row)).collect()))
        .collect();
    if pairs.iter().all(|(_, peers)| peers.is_empty()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no such runtime has such a row"));
    }
    if cpu::count() < 2 {
        eprintln!(
            "This machine has one CPU: servers and clients share it, and the figures show it."
        );
    }
    // The client is here. The workers go to the first CPU.
    cpu::pin(1);
    let mut lines = Vec::new();
    for (row, peers) in &pairs {
        for metric in row.metrics() {
            let samples = peers.iter().map(|peer| (*peer, Vec::new())).collect();
            lines.push(Line { row: *row, metric: *metric, samples });
        }
    }
    let mut sizes = Vec::new();
    for (row, peers) in &pairs {
        let found: io::Result<Vec<u64>> =
            peers.iter().map(|peer| size(plan, *peer, *row)).collect();
        sizes.push(found?);
    }
    for round in 0..plan.rounds {
        for ((row, peers), sizes) in pairs.iter().zip(&sizes) {
            progress(&format!("round {} of {}: {row}", round + 1, plan.rounds));
            for turn in 0..peers.len() {
                // Another one begins in each round.
                let place = (turn + round) % peers.len();
                let measured = worker::measure(&[], peers[place], *row, sizes[place], LIMIT)
                    .map_err(|error| wrong(peers[place], *row, error))?;
                for (metric, value) in measured {
                    let line = lines.iter_mut().find(|it| it.row == *row && it.metric == metric);
                    let line = line.expect("there is a line for each metric of the row");
                    line.samples[place].1.push(value);
                }
            }
        }
    }
    progress("");
    Ok(Table { lines, rounds: plan.rounds })
}

/// How many operations a measurement has.
fn size(plan: &Plan, peer: Peer, row: Row) -> io::Result<u64> {
    let trial = row.trial();
    let wanted = if row.is_calibrated() {
        progress(&format!("trial: {peer}, {row}"));
        let measured = worker::measure(&[], peer, row, trial, LIMIT)
            .map_err(|error| wrong(peer, row, error))?;
        let (_, nanos) = measured[0];
        (plan.span.as_nanos() as f64 / nanos) as u64
    } else {
        plan.factor * trial
    };
    Ok((wanted / row.granule()).max(1) * row.granule())
}

/// Says what is going on, to somebody who waits at a terminal.
fn progress(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r{text:<40}\r");
    }
}

/// Says of whom an error is.
pub fn wrong(peer: Peer, row: Row, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{peer}, {row}: {error}"))
}
