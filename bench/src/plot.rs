//! Bars, as SVG for the book, which brings the colours.

use std::fmt::Write as _;

use crate::report::short;
use crate::rounds::{Line, Table};
use crate::rows::{Metric, Row};
use crate::runtimes::Peer;

const WIDTH: u32 = 720;
/// Where the names end, and the bars begin.
const LEFT: u32 = 108;
/// How long the longest bar is. The rest is for its figure.
const LONGEST: f64 = 540.0;
const BAR: u32 = 18;
const HEADING: u32 = 34;

/// The server's CPU time for a request, for each number of connections.
pub fn echo(table: &Table) -> String {
    let lines: Vec<&Line> = table.lines.iter().filter(|it| it.metric == Metric::Cpu).collect();
    let title = "CPU time of an echo server for one request";
    bars("bench-echo", title, &lines, |line| format!("{}, µs", line.row.title()))
}

/// The time for an operation, for all other rows.
pub fn operations(table: &Table) -> String {
    let is_shown = |line: &&Line| !matches!(line.row, Row::Echo(_));
    let lines: Vec<&Line> = table.lines.iter().filter(is_shown).collect();
    bars("bench-operations", "Time for one operation", &lines, |line| {
        format!("{}, {}", line.row.title(), line.metric.unit())
    })
}

fn bars(id: &str, title: &str, lines: &[&Line], heading: impl Fn(&Line) -> String) -> String {
    let mut body = String::new();
    let mut description = String::new();
    let mut top = 0;
    for line in lines {
        top += HEADING;
        let heading = heading(line);
        _ = writeln!(body, r#"<text class="text strong" x="0" y="{}">{heading}</text>"#, top - 10);
        _ = write!(description, "{heading}: ");
        let longest = line.summaries().map(|(_, it)| it.median).fold(f64::MIN_POSITIVE, f64::max);
        for (peer, summary) in line.summaries() {
            let (name, figure) = (peer.name(), short(summary.median));
            let length = (summary.median / longest * LONGEST).max(1.0);
            let (right, text) = (LEFT as f64 + length + 6.0, top + 13);
            let name_end = LEFT - 8;
            _ = writeln!(
                body,
                r#"<text class="text small" x="{name_end}" y="{text}" text-anchor="end">{name}</text>
<rect class="{}" x="{LEFT}" y="{}" width="{length:.1}" height="14"/>
<text class="text small" x="{right:.1}" y="{text}">{figure}</text>"#,
                class(peer),
                top + 2,
            );
            _ = write!(description, "{name} {figure}, ");
            top += BAR;
        }
        description.truncate(description.trim_end_matches(", ").len());
        description.push_str(". ");
    }
    let description = description.trim_end();
    let height = top + 8;
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{id}-t {id}-d" xmlns="http://www.w3.org/2000/svg">
<title id="{id}-t">{title}</title>
<desc id="{id}-d">{description}</desc>
{body}</svg>
"#
    )
}

fn class(peer: Peer) -> &'static str {
    match peer {
        peer if peer.is_mini() => "box-b",
        peer if peer.is_bare() => "box-c",
        _ => "box",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_no_blank_line_and_a_bar_for_each_runtime() {
        let samples = vec![(Peer::MiniUring, vec![2.0]), (Peer::Smol, vec![4.0])];
        let line = Line { row: Row::Yield, metric: Metric::Nanos, samples };
        let svg = operations(&Table { lines: vec![line], rounds: 1 });
        assert!(svg.lines().all(|line| !line.trim().is_empty()), "Markdown would end the block");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains(r#"width="270.0""#) && svg.contains(r#"width="540.0""#));
        assert!(svg.contains("mini-uring 2.00, smol 4.00."));
    }
}
