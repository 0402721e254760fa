//! How things look: colours where there is a terminal that wants them, and plain text elsewhere.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::process;

use anstyle::{AnsiColor, Style};

/// Prints a line. If nobody reads any more, the process ends, and leaves nothing behind.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::workshop::show::line(anstream::stdout(), format_args!($($text)*))
    };
}

/// Prints a line of what is wrong, in the same way.
macro_rules! complain {
    ($($text:tt)*) => {
        $crate::workshop::show::line(anstream::stderr(), format_args!($($text)*))
    };
}

pub(super) use {complain, say};

pub fn line(mut to: impl Write, text: Arguments<'_>) {
    match writeln!(to, "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            super::clean_up();
            process::exit(1);
        }
        // A full disk behind a redirection, say: there is no better place to tell.
        _ => {}
    }
}

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const HEAD: Style = Style::new().bold();
pub const FAINT: Style = Style::new().dimmed();

/// A text in a style. What prints it, `anstream`, takes the style out again where it is not wanted.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Minutes, for people.
pub fn minutes(minutes: u32) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// What a failed test has to say: its panic and the explanation of a hang, without what the test
/// harness adds.
pub fn readable(output: &str) -> String {
    let is_noise = |line: &str| {
        let noise =
            ["running 1 test", "test result:", "failures:", "note: run with `RUST_BACKTRACE"];
        line.trim().is_empty()
            || noise.iter().any(|noise| line.starts_with(noise))
            || line.starts_with("test ")
            || line.starts_with("---- ")
    };
    // Printed only where the process gives up, and no help to anybody who looks for a mistake.
    let said = output.lines().take_while(|line| !line.starts_with("stack backtrace:"));
    let mut lines: Vec<&str> = said.filter(|line| !is_noise(line)).collect();
    // The harness names the failed test once more, indented.
    lines.retain(|line| !line.starts_with("    ") || line.trim().contains(' '));
    lines.iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_told_in_hours() {
        assert_eq!(
            [0, 59, 60, 61, 135].map(minutes),
            ["0 min", "59 min", "1 h", "1 h 1 min", "2 h 15 min"]
        );
    }

    #[test]
    fn a_failure_is_told_without_a_backtrace() {
        let output = "thread 'x' panicked at a.rs:1:1:\nwrong\nstack backtrace:\n   0: 0x1 - std\n";
        assert_eq!(readable(output), "    thread 'x' panicked at a.rs:1:1:\n    wrong\n");
    }

    #[test]
    fn a_failure_is_told_without_the_harness() {
        let output = "\nrunning 1 test\ntest clone_adds_one ... FAILED\n\nfailures:\n\nfailures:\n    \
                      clone_adds_one\n\ntest result: FAILED. 0 passed; 1 failed\n\nthread 'x' panicked at \
                      a.rs:1:1:\nassertion failed\n  left: 1\nnote: run with `RUST_BACKTRACE=1` to\n";
        assert_eq!(
            readable(output),
            "    thread 'x' panicked at a.rs:1:1:\n    assertion failed\n      left: 1\n"
        );
    }
}
