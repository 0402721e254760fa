//! Instructions and system calls for each operation: figures that hardly vary from run to run.
//!
//! Each is counted over two whole runs with different numbers of operations. The difference of the counts,
//! divided by the difference of the numbers, is what one operation takes: starting up is in both, and drops
//! out.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::cpu;
use crate::machine::Machine;
use crate::output::output;
use crate::report::{folder, short};
use crate::rounds::wrong;
use crate::rows::Row;
use crate::runtimes::Peer;
use crate::stats::Summary;
use crate::worker;

/// No run under a tool takes longer than this.
const LIMIT: Duration = Duration::from_secs(120);

/// What is counted, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counter {
    /// User-space instructions, by valgrind.
    Instructions,
    /// System calls, by the kernel's tracepoint: they are counted while they pass.
    Perf,
    /// System calls, by strace, which stops the process at each. So more is waiting for a server each time,
    /// and it seems to need fewer calls than it does.
    Strace,
}

impl Counter {
    fn program(self) -> &'static str {
        match self {
            Counter::Instructions => "valgrind",
            Counter::Perf => "perf",
            Counter::Strace => "strace",
        }
    }

    /// What is put before the worker's command line.
    fn line(self, output: &Path) -> Vec<OsString> {
        let path = |before: &str| {
            let mut option = OsString::from(before);
            option.push(output);
            option
        };
        let mut line = vec![OsString::from(self.program())];
        match self {
            Counter::Instructions => {
                line.extend(["--tool=callgrind", "-q"].map(OsString::from));
                line.push(path("--callgrind-out-file="));
            }
            Counter::Perf => {
                line.extend(["stat", "-x,", "-e", "raw_syscalls:sys_enter"].map(OsString::from));
                line.extend([path("--output="), "--".into()]);
            }
            Counter::Strace => {
                line.extend(["-f", "-c", "-o"].map(OsString::from));
                line.extend([path(""), "--".into()]);
            }
        }
        line
    }

    /// Finds the count in what the program has written.
    fn read(self, text: &str) -> Option<u64> {
        match self {
            Counter::Instructions => {
                text.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
            }
            Counter::Perf => {
                let line = text.lines().find(|line| line.contains("sys_enter"))?;
                line.split(',').next()?.parse().ok()
            }
            Counter::Strace => {
                let line = text.lines().find(|line| line.trim_end().ends_with("total"))?;
                // Time, seconds, microseconds for each, calls, and errors if there were any.
                line.split_whitespace().nth(3)?.parse().ok()
            }
        }
    }

    /// The numbers of operations of the two runs.
    fn operations(self, row: Row) -> [u64; 2] {
        let is_slow = self == Counter::Instructions;
        let (few, many) = match row {
            Row::Echo(_) if is_slow => (1_000, 6_000),
            Row::Echo(_) => (4_000, 24_000),
            Row::SpawnMany => (10_000, 50_000),
            _ => (10_000, 50_000),
        };
        [few, many].map(|number: u64| number.next_multiple_of(row.granule()))
    }

    /// How often it is counted. A server that strace slows down falls into one rhythm with its client or
    /// another, so the median of several is taken.
    fn times(self) -> usize {
        match self {
            Counter::Instructions | Counter::Perf => 1,
            Counter::Strace => 5,
        }
    }

    /// Whether it can be counted: not what the clock or another thread decides.
    fn has(self, row: Row) -> bool {
        match row {
            Row::Echo(_) => true,
            Row::Sleep | Row::Wake | Row::WakeStorm => false,
            _ => self == Counter::Instructions,
        }
    }

    fn runs_here(self) -> bool {
        let mut command = Command::new(self.program());
        match self {
            // It may be there, and the kernel may not let it.
            Counter::Perf => command.args(["stat", "-e", "raw_syscalls:sys_enter", "true"]),
            _ => command.arg("--version"),
        };
        let ran = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    }

    fn unit(self) -> &'static str {
        match self {
            Counter::Instructions => "user instructions",
            Counter::Perf => "system calls",
            Counter::Strace => "system calls under strace",
        }
    }
}

/// What one operation takes. `None` where it could not be counted.
struct Line {
    row: Row,
    counter: Counter,
    figures: Vec<(Peer, Option<f64>)>,
}

/// Counts, and prints what was counted. `is_all` writes it down as well. What valgrind has written of the
/// longer runs is put into the folder `keep`, for `callgrind_annotate`.
///
/// # Errors
/// If no file can be written, or nothing printed.
pub fn run(rows: &[Row], peers: &[Peer], is_all: bool, keep: Option<&Path>) -> io::Result<()> {
    if let Some(keep) = keep {
        fs::create_dir_all(keep)?;
    }
    let mut out = output();
    let mut counters = Vec::new();
    if Counter::Instructions.runs_here() {
        counters.push(Counter::Instructions);
    } else {
        writeln!(out, "Skipped: instructions. valgrind is missing, or does not run here.")?;
    }
    match [Counter::Perf, Counter::Strace].into_iter().find(|counter| counter.runs_here()) {
        Some(counter) => counters.push(counter),
        None => writeln!(out, "Skipped: system calls. Neither perf nor strace runs here.")?,
    }
    cpu::pin(1);
    let mut lines = Vec::new();
    for row in rows {
        for counter in counters.iter().copied().filter(|counter| counter.has(*row)) {
            let peers = peers.iter().copied().filter(|peer| peer.has(*row));
            let mut figures = Vec::new();
            for peer in peers {
                // The others are counted all the same.
                let counted = figure(counter, peer, *row, keep);
                if let Err(error) = &counted {
                    writeln!(out, "Skipped: {error}")?;
                }
                figures.push((peer, counted.ok().flatten()));
            }
            let line = Line { row: *row, counter, figures };
            writeln!(out, "{}, {}", line.row.title(), line.counter.unit())?;
            for (peer, figure) in &line.figures {
                writeln!(out, "    {peer:<12} {:>10}", shown(*figure))?;
            }
            lines.push(line);
        }
    }
    if is_all {
        let machine = Machine::here();
        fs::create_dir_all(folder())?;
        let data = serde_json::to_string_pretty(&data(&lines, &machine)?)?;
        fs::write(folder().join("counts.json"), data + "\n")?;
        fs::write(folder().join("counts.md"), markdown(&lines, &machine))?;
        writeln!(out, "Written to bench/results: counts.json, counts.md")?;
    }
    Ok(())
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "not counted".to_owned(), short)
}

/// What one operation takes.
fn figure(counter: Counter, peer: Peer, row: Row, keep: Option<&Path>) -> io::Result<Option<f64>> {
    let [few, many] = counter.operations(row);
    let keep = keep.filter(|_| counter == Counter::Instructions);
    let kept = keep.map(|folder| folder.join(format!("callgrind.out.{row}.{peer}")));
    let once = || {
        let less = count(counter, peer, row, few, None)?;
        let more = count(counter, peer, row, many, kept.as_deref())?;
        Ok((more as f64 - less as f64) / (many - few) as f64)
    };
    let counted: io::Result<Vec<f64>> = (0..counter.times()).map(|_| once()).collect();
    let figures = counted.map_err(|error| wrong(peer, row, error))?;
    Ok(Summary::of(&figures).map(|summary| summary.median))
}

fn count(
    counter: Counter,
    peer: Peer,
    row: Row,
    operations: u64,
    keep: Option<&Path>,
) -> io::Result<u64> {
    let folder = TempDir::new()?;
    let output = folder.path().join("counted");
    worker::measure(&counter.line(&output), peer, row, operations, LIMIT)?;
    let text = fs::read_to_string(&output)?;
    if let Some(keep) = keep {
        fs::copy(&output, keep)?;
    }
    let program = counter.program();
    counter.read(&text).ok_or_else(|| io::Error::other(format!("{program} has counted nothing")))
}

fn data(lines: &[Line], machine: &Machine) -> io::Result<Value> {
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| {
            let figures: Map<String, Value> = line
                .figures
                .iter()
                .map(|(peer, figure)| (peer.name().to_owned(), json!(figure)))
                .collect();
            json!({ "row": line.row.name(), "counted": line.counter.unit(), "figures": figures })
        })
        .collect();
    Ok(json!({ "machine": serde_json::to_value(machine)?, "lines": lines }))
}

fn markdown(lines: &[Line], machine: &Machine) -> String {
    let mut text = String::from("| each operation |");
    Peer::ALL.iter().for_each(|peer| _ = write!(text, " {peer} |"));
    text.push_str("\n| --- |");
    Peer::ALL.iter().for_each(|_| text.push_str(" ---: |"));
    for line in lines {
        _ = write!(text, "\n| {}: {} |", line.row.title(), line.counter.unit());
        for peer in Peer::ALL {
            let figure = line.figures.iter().find(|(it, _)| *it == peer);
            _ = write!(text, " {} |", figure.map_or_else(String::new, |(_, it)| shown(*it)));
        }
    }
    _ = write!(text, "\n\n{}\n\n{}\n", machine.describe(), machine.describe_versions());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_in_what_each_program_writes() {
        let callgrind = "events: Ir\nfn=(1) main\n1 20\ntotals: 12345\n";
        assert_eq!(Counter::Instructions.read(callgrind), Some(12345));
        let perf = "# started on Fri\n\n29,,raw_syscalls:sys_enter,1039000,100.00,,\n";
        assert_eq!(Counter::Perf.read(perf), Some(29));
        let strace = "% time seconds usecs/call calls errors syscall\n------\n\
                      100.00    0.000000           0       107         5 total\n";
        assert_eq!(Counter::Strace.read(strace), Some(107));
        assert_eq!(Counter::Perf.read("<not supported>,,instructions:u"), None);
    }

    #[test]
    fn the_two_runs_differ_and_fit_the_row() {
        for row in Row::ALL {
            let [few, many] = Counter::Instructions.operations(row);
            assert!(
                few < many
                    && few.is_multiple_of(row.granule())
                    && many.is_multiple_of(row.granule())
            );
        }
    }
}
