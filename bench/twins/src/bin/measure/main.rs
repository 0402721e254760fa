//! Measures the twins, and prints the tables of the book's last part: `measure` in the folder of `twins`,
//! or `sh support/twins.sh`, which builds both and keeps what this prints. `measure ROW…` measures these
//! rows alone.
//!
//! Each figure is the difference between a run with N operations and one with a tenth of them, so that the
//! start and the end of the program are not in it.

mod rows;
mod tools;

use std::env;
use std::io;
use std::process::{Command, ExitCode};

use crate::rows::{ROWS, Row};
use crate::tools::{Twins, flags_of_the_ring};

fn main() -> ExitCode {
    let wanted: Vec<String> = env::args().skip(1).collect();
    match measure(&wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(wanted: &[String]) -> io::Result<()> {
    let twins = Twins::beside_this()?;
    let mut summary = Vec::new();
    println!("<!-- Made by support/twins.sh: what is changed here is overwritten there. -->\n");
    for row in ROWS {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == row.name) {
            continue;
        }
        eprintln!("{}", row.name);
        let lines = row.whats.iter().map(|what| twins.measure(row, *what));
        let table: Table = lines.collect::<io::Result<_>>()?;
        summary.extend(headline(row, &table));
        print_anchored(row.name, &lines_of(row, &table));
    }
    if wanted.is_empty() || wanted.iter().any(|name| name == "flags") {
        eprintln!("flags");
        print_anchored("flags", &flags_of_the_ring(&twins)?);
    }
    print_anchored("all", &all(&summary));
    print_anchored("machine", &[machine()?]);
    Ok(())
}

/// A line of figures for each thing that is measured, and in it one for each column.
type Table = Vec<Vec<f64>>;

fn lines_of(row: &Row, table: &Table) -> Vec<String> {
    let labels: Vec<&str> = row.columns.iter().map(|column| column.label).collect();
    let mut lines = vec![
        format!("| {} | {} |", row.title, labels.join(" | ")),
        format!("| --- |{}", " ---: |".repeat(labels.len())),
    ];
    for (what, figures) in row.whats.iter().zip(table) {
        let figures: Vec<String> = figures.iter().map(|figure| what.show(*figure)).collect();
        lines.push(format!("| {} | {} |", what.name(), figures.join(" | ")));
    }
    lines
}

/// What the row says first, of the twins that are compared.
fn headline(row: &Row, table: &Table) -> Option<String> {
    let (what, figures) = (*row.whats.first()?, table.first()?);
    let (before, after) = (figures[row.before], figures[row.after]);
    let (title, page, name) = (row.title, row.page, what.name());
    let (shown, instead) = (what.show(before), what.show(after));
    Some(format!("| [{title}]({page}) | {name} | {shown} | {instead} | {:.2} |", after / before))
}

fn all(summary: &[String]) -> Vec<String> {
    let mut lines = vec![
        "| one … | | chapters | mini-runtime | ratio |".to_owned(),
        "| --- | --- | ---: | ---: | ---: |".to_owned(),
    ];
    lines.extend(summary.iter().cloned());
    lines
}

fn print_anchored(name: &str, lines: &[String]) {
    println!("<!-- ANCHOR: {name} -->");
    lines.iter().for_each(|line| println!("{line}"));
    println!("<!-- ANCHOR_END: {name} -->\n");
}

/// On what, when, and with what this was measured.
fn machine() -> io::Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo")?;
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("?");
    let cores = std::thread::available_parallelism()?;
    let linux = said("uname", &["-r"])?;
    let linux: Vec<&str> = linux.split(['.', '-']).take(2).collect();
    let (date, rustc) = (said("date", &["+%-d %B %Y"])?, said("rustc", &["--version"])?);
    let rust = rustc.split(' ').nth(1).unwrap_or("?");
    let (valgrind, strace) = (said("valgrind", &["--version"])?, said("strace", &["-V"])?);
    let strace = strace.lines().next().and_then(|line| line.split(' ').next_back()).unwrap_or("?");
    Ok(format!(
        "{cpu}, {cores} cores, Linux {}, Rust {rust}, {valgrind}, strace {strace}; {date}.",
        linux.join(".")
    ))
}

fn said(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
