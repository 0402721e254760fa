//! Each runtime does each row, with so few operations that the figures mean nothing: what counts is that
//! there are figures, and that the answers were right.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

fn bench(row: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--rounds", "1", "--row", row])
        .output()
        .unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complained}");
    let names = said.lines().next().unwrap().split_whitespace().count();
    let figures = said.lines().nth(1).unwrap();
    let figures = figures.split_whitespace().rev().take(names);
    for figure in figures {
        let figure: f64 = figure.trim_end_matches(['*', '≈']).parse().unwrap();
        assert!(figure > 0.0, "{said}");
    }
    let expected = if row.starts_with("echo") { 10 } else { 8 };
    assert_eq!(names, expected, "{said}");
}

macro_rules! rows {
    ($($name:ident: $row:literal,)*) => {$(
        #[test]
        fn $name() {
            bench($row);
        }
    )*};
}

rows! {
    all_echo_one_connection: "echo-1",
    all_echo_64_connections: "echo-64",
    all_echo_1000_connections: "echo-1000",
    all_spawn_and_join: "spawn-join",
    all_spawn_many_and_join_all: "spawn-many",
    all_yield: "yield",
    all_play_ping_pong: "ping-pong",
    all_keep_a_timeout_that_never_fires: "timeout",
    all_sleep_long_enough: "sleep",
    all_are_woken_by_another_thread: "wake",
    all_are_woken_by_a_storm: "wake-storm",
}

/// How a short run ends, and what it complains of, when its figures go there.
fn printed_to(place: impl Into<Stdio>) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--quick", "--rounds", "1", "--row", "yield", "--runtime", "mini-epoll"])
        .stdout(place)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn who_reads_no_more_is_told_nothing() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let (status, complained) = printed_to(writer);
    assert_eq!(status, Some(1));
    assert!(!complained.contains("bench:") && !complained.contains("panicked"), "{complained}");
}

#[test]
fn a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (status, complained) = printed_to(full);
    assert_eq!(status, Some(1));
    assert!(complained.starts_with("bench: what was measured cannot be printed: "), "{complained}");
}

#[test]
fn an_unknown_row_is_refused_with_the_names_of_all() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(["--row", "nap"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(complained.contains("spawn-join, spawn-many, yield"), "{complained}");
}
