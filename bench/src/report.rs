//! The table: in the terminal, and as files for the book.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::machine::Machine;
use crate::plot;
use crate::rounds::{Line, Table};
use crate::runtimes::Peer;
use crate::stats::Summary;

/// The files of a whole run.
pub const FILES: [&str; 4] = ["latest.json", "table.md", "echo.svg", "operations.svg"];

/// Where the files are.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A cell, with a mark if it is the first of its line, or within noise of that.
fn cell(line: &Line, peer: Peer) -> String {
    let Some(summary) = line.summary(peer) else { return String::new() };
    format!("{}{}", short(summary.median), mark(line, peer, summary))
}

fn mark(line: &Line, peer: Peer, summary: Summary) -> &'static str {
    match line.first() {
        Some((first, _)) if first == peer => "*",
        Some((_, best)) if !peer.is_bare() && summary.overlaps(best) => "≈",
        _ => "",
    }
}

/// How mini-runtime stands to the best of the others. `None` if one of the two was not measured.
pub fn verdict(line: &Line) -> Option<String> {
    // The reciprocal of a rate is a cost again.
    let cost = |summary: Summary| match line.metric.is_lower_better() {
        true => summary.median,
        false => 1.0 / summary.median,
    };
    let best = |is_wanted: fn(Peer) -> bool| {
        let wanted = line.summaries().filter(|(peer, _)| is_wanted(*peer));
        wanted.min_by(|(_, one), (_, other)| cost(*one).total_cmp(&cost(*other)))
    };
    let (_, mini) = best(Peer::is_mini)?;
    let (peer, other) = best(|peer| !peer.is_mini() && !peer.is_bare())?;
    let ratio = cost(mini) / cost(other);
    Some(if ratio <= 1.0 {
        format!("first, {peer} takes {:.2} times as much", 1.0 / ratio)
    } else if mini.overlaps(other) {
        format!("within noise of {peer}, {ratio:.2} times as much")
    } else {
        format!("behind {peer}, {ratio:.2} times as much")
    })
}

fn peers(table: &Table) -> Vec<Peer> {
    let measured = |peer: &Peer| table.lines.iter().any(|line| line.summary(*peer).is_some());
    Peer::ALL.into_iter().filter(measured).collect()
}

fn title(line: &Line) -> String {
    let title = line.row.title();
    match line.metric.unit() {
        "ns" => format!("{title}, ns"),
        unit if title.ends_with("late by") => format!("{title}, {unit}"),
        unit => format!("{title}: {unit}"),
    }
}

/// Prints the table.
///
/// # Errors
/// If `out` takes no more.
pub fn print(out: &mut impl Write, table: &Table) -> io::Result<()> {
    let peers = peers(table);
    let width = table.lines.iter().map(|line| title(line).chars().count()).max().unwrap_or(0);
    write!(out, "{:width$}", "")?;
    for peer in &peers {
        write!(out, " {peer:>11}")?;
    }
    writeln!(out)?;
    for line in &table.lines {
        write!(out, "{:width$}", title(line))?;
        for peer in &peers {
            write!(out, " {:>11}", cell(line, *peer))?;
        }
        writeln!(out)?;
    }
    writeln!(out)?;
    for line in &table.lines {
        if let Some(verdict) = verdict(line) {
            writeln!(out, "{:width$}  {verdict}", title(line))?;
        }
    }
    writeln!(out, "\n{}", legend(table))?;
    writeln!(out, "{}", Machine::here().describe())
}

fn legend(table: &Table) -> String {
    format!(
        "Medians of {} measurements, all runtimes in turns. * is the first of its line, ≈ is within noise of \
         it: the middle halves of the two overlap. The bare loops are not ranked.",
        table.rounds
    )
}

/// Writes the figures, the table and the plots.
pub fn write(table: &Table) -> io::Result<()> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let machine = Machine::here();
    let data = serde_json::to_string_pretty(&data(table, &machine)?)?;
    let texts =
        [data + "\n", markdown(table, &machine), plot::echo(table), plot::operations(table)];
    for (file, text) in FILES.iter().zip(texts) {
        fs::write(folder.join(file), text)?;
    }
    Ok(())
}

fn data(table: &Table, machine: &Machine) -> io::Result<Value> {
    let lines: Vec<Value> = table
        .lines
        .iter()
        .map(|line| {
            let samples: Map<String, Value> = line
                .samples
                .iter()
                .map(|(peer, samples)| (peer.name().to_owned(), json!(samples)))
                .collect();
            json!({
                "row": line.row.name(),
                "metric": line.metric.name(),
                "unit": line.metric.unit(),
                "lower_is_better": line.metric.is_lower_better(),
                "samples": samples,
            })
        })
        .collect();
    let machine = serde_json::to_value(machine)?;
    Ok(json!({ "machine": machine, "rounds": table.rounds, "lines": lines }))
}

fn markdown(table: &Table, machine: &Machine) -> String {
    let peers = peers(table);
    let mut text = String::from("| |");
    peers.iter().for_each(|peer| _ = write!(text, " {peer} |"));
    text.push_str(" mini-runtime |\n| --- |");
    peers.iter().for_each(|_| text.push_str(" ---: |"));
    text.push_str(" --- |\n");
    for line in &table.lines {
        _ = write!(text, "| {} |", title(line));
        peers.iter().for_each(|peer| _ = write!(text, " {} |", cell(line, *peer)));
        _ = writeln!(text, " {} |", verdict(line).unwrap_or_default());
    }
    _ = write!(text, "\n{}\n\n{}\n\n", legend(table), machine.describe());
    _ = writeln!(text, "{}", machine.describe_versions());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Metric, Row};

    fn line(metric: Metric, mini: &[f64], tokio: &[f64]) -> Line {
        let samples = vec![
            (Peer::MiniUring, mini.to_vec()),
            (Peer::Tokio, tokio.to_vec()),
            (Peer::BareEpoll, vec![0.1]),
        ];
        Line { row: Row::Yield, metric, samples }
    }

    #[test]
    fn the_faster_is_first_and_the_bare_loops_do_not_compete() {
        let line = line(Metric::Nanos, &[10.0, 11.0, 12.0], &[20.0, 22.0, 24.0]);
        assert_eq!(cell(&line, Peer::MiniUring), "11.0*");
        assert_eq!(cell(&line, Peer::Tokio), "22.0");
        assert_eq!(cell(&line, Peer::BareEpoll), "0.10");
        assert_eq!(cell(&line, Peer::Smol), "");
        assert_eq!(verdict(&line).unwrap(), "first, tokio takes 2.00 times as much");
    }

    #[test]
    fn the_higher_rate_is_first() {
        let line = line(Metric::Rate, &[100.0], &[200.0]);
        assert_eq!(cell(&line, Peer::Tokio), "200*");
        assert_eq!(verdict(&line).unwrap(), "behind tokio, 2.00 times as much");
    }

    #[test]
    fn what_overlaps_is_within_noise() {
        let line = line(Metric::Nanos, &[10.0, 12.0, 14.0], &[9.0, 11.0, 13.0]);
        assert_eq!(cell(&line, Peer::MiniUring), "12.0≈");
        assert_eq!(verdict(&line).unwrap(), "within noise of tokio, 1.09 times as much");
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([1234.5, 99.96, 12.34, 1.234].map(short), ["1234", "100", "12.3", "1.23"]);
    }
}
