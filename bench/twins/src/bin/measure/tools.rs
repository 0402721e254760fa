//! How it is measured.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::rows::{Column, Row, What};

/// The program that does an operation N times.
pub struct Twins {
    program: PathBuf,
}

impl Twins {
    /// # Errors
    /// If it was not built.
    pub fn beside_this() -> io::Result<Twins> {
        let program = env::current_exe()?.with_file_name("twins");
        if !program.exists() {
            return Err(io::Error::other(format!("{} is missing", program.display())));
        }
        Ok(Twins { program })
    }

    /// A figure for each column. The columns are measured in turns, so that a neighbour who is busy for a
    /// while does not fall upon one of them.
    ///
    /// # Errors
    /// If the program or a tool fails.
    pub fn measure(&self, row: &Row, what: What) -> io::Result<Vec<f64>> {
        match what {
            What::Median => self.percentiles(row, "p50_ns"),
            What::Percentile99 => self.percentiles(row, "p99_ns"),
            _ => {
                let n = if what == What::Nanoseconds { row.timed } else { row.counted };
                let mut figures = vec![Figure::of(n); row.columns.len()];
                for _ in 0..what.turns() {
                    for (figure, column) in figures.iter_mut().zip(row.columns) {
                        figure.measure(|n| self.total(column, n, what))?;
                    }
                }
                Ok(figures.iter().map(Figure::per_operation).collect())
            }
        }
    }

    /// What a whole run takes.
    fn total(&self, column: &Column, n: usize, what: What) -> io::Result<f64> {
        match what {
            What::Instructions => self.instructions(column, n),
            What::Calls => self.calls(column, n, &[]),
            What::CallsOfAll => self.calls(column, n, &["-f"]),
            What::Allocations => self.said(column, n, "allocations"),
            What::Nanoseconds => self.said(column, n, "cpu_ns"),
            What::Median | What::Percentile99 => unreachable!("these are of one operation"),
        }
    }

    /// The one in the middle of several runs.
    fn percentiles(&self, row: &Row, name: &str) -> io::Result<Vec<f64>> {
        let mut figures = vec![Vec::new(); row.columns.len()];
        for _ in 0..What::Median.turns() {
            for (figures, column) in figures.iter_mut().zip(row.columns) {
                figures.push(self.said(column, row.timed, name)?);
            }
        }
        Ok(figures.into_iter().map(middle).collect())
    }

    /// What the program says of itself.
    fn said(&self, column: &Column, n: usize, name: &str) -> io::Result<f64> {
        said_in(&self.run(&[], column, n)?, name)
    }

    fn instructions(&self, column: &Column, n: usize) -> io::Result<f64> {
        let callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let output = self.run(&callgrind, column, n)?;
        let report = String::from_utf8_lossy(&output.stderr);
        let collected = report.lines().find_map(|line| line.split_once("Collected : "));
        number(collected.map(|(_, count)| count), "callgrind says no count")
    }

    fn calls(&self, column: &Column, n: usize, options: &[&str]) -> io::Result<f64> {
        let file = env::temp_dir().join(format!("twins-{}", std::process::id()));
        let path = file.to_string_lossy().into_owned();
        let mut strace = vec!["strace", "-c", "-o", &path];
        strace.extend(options);
        self.run(&strace, column, n)?;
        let report = fs::read_to_string(&file)?;
        fs::remove_file(&file)?;
        number(total_of(&report), "strace says no total")
    }

    /// On one core, so that the figures hold still. A server and its load take it from each other when one
    /// of them waits, and not before (`chrt --batch`): so a server wakes up when its load has sent all it
    /// has. Two threads that play together have a core each.
    fn run(&self, tool: &[&str], column: &Column, n: usize) -> io::Result<Output> {
        let cores = if column.pair == "asleep" { "0,1" } else { "0" };
        let mut command = Command::new("taskset");
        command.args(["-c", cores]);
        if column.has_load() {
            command.args(["chrt", "--batch", "0"]);
        }
        command.args(tool).arg(&self.program);
        let output = command.args([column.pair, column.house, &n.to_string()]).output()?;
        if output.status.success() {
            return Ok(output);
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("{command:?} has failed: {why}")))
    }
}

/// What a ring costs whose kernel does not know the newer flags: strace plays such a kernel.
///
/// # Errors
/// If the program or strace fails.
pub fn flags_of_the_ring(twins: &Twins) -> io::Result<Vec<String>> {
    const N: usize = 64_000;
    let kernels = [
        ("Linux 6.1: `DEFER_TASKRUN`", None),
        ("Linux 5.19: `COOP_TASKRUN`", Some("inject=io_uring_setup:error=EINVAL:when=1")),
        ("before: no flags", Some("inject=io_uring_setup:error=EINVAL:when=1..2")),
    ];
    let ring = Column { label: "", pair: "owned64", house: "mini-ring" };
    let mut figures = vec![Figure::of(N); kernels.len()];
    for _ in 0..What::Nanoseconds.turns() {
        for (figure, (_, inject)) in figures.iter_mut().zip(kernels) {
            // Only the one call is stopped at: all others are as fast as without.
            let mut strace = vec!["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"];
            strace.extend(["-e", "trace=io_uring_setup"]);
            strace.extend(inject.into_iter().flat_map(|inject| ["-e", inject]));
            figure.measure(|n| said_in(&twins.run(&strace, &ring, n)?, "cpu_ns"))?;
        }
    }
    let mut lines = vec![
        "| message on a ring, of 64 connections | processor time, ns |".to_owned(),
        "| --- | ---: |".to_owned(),
    ];
    for ((kernel, _), figure) in kernels.iter().zip(figures) {
        let nanoseconds = What::Nanoseconds.show(figure.per_operation());
        lines.push(format!("| {kernel} | {nanoseconds} |"));
    }
    Ok(lines)
}

/// What a run of N operations takes, and a short one with a tenth of them. Of several runs the lowest
/// counts: the one that other programs have disturbed least.
#[derive(Clone)]
struct Figure {
    n: usize,
    short: f64,
    long: f64,
}

impl Figure {
    fn of(n: usize) -> Figure {
        Figure { n, short: f64::INFINITY, long: f64::INFINITY }
    }

    fn measure(&mut self, total: impl Fn(usize) -> io::Result<f64>) -> io::Result<()> {
        self.short = self.short.min(total(self.n / 10)?);
        self.long = self.long.min(total(self.n)?);
        Ok(())
    }

    fn per_operation(&self) -> f64 {
        (self.long - self.short) / (self.n - self.n / 10) as f64
    }
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn said_in(output: &Output, name: &str) -> io::Result<f64> {
    let said = String::from_utf8_lossy(&output.stdout);
    let figure = said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    number(figure, &format!("the program says no {name}"))
}

/// The calls in the last line of `strace -c`: `100.00    0.000123           1       123        11 total`.
fn total_of(report: &str) -> Option<&str> {
    let total = report.lines().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)
}

fn number(text: Option<&str>, complaint: &str) -> io::Result<f64> {
    let number = text.and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| io::Error::other(complaint.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_strace_is_found_with_and_without_errors() {
        let with = "  0.00    0.000000           0         1         1 access\n\
                    100.00    0.000123           1       123        11 total\n";
        let without = "------ ----------- ----------- --------- ---------\n\
                       100.00    0.000123           1       42           total\n";
        assert_eq!((total_of(with), total_of(without)), (Some("123"), Some("42")));
        assert_eq!(total_of("strace: nothing"), None);
    }

    #[test]
    fn neither_the_start_nor_a_disturbance_is_in_the_figure() {
        let mut figure = Figure::of(100);
        for disturbance in [5000.0, 0.0, 300.0] {
            let total = |n| Ok(1_000_000.0 + 7.0 * n as f64 + disturbance);
            figure.measure(total).expect("nothing fails");
        }
        assert_eq!(figure.per_operation(), 7.0);
    }
}
