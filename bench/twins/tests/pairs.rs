//! Each program does its work, on each runtime.

use std::process::Command;

use conformance::{skip, watch};

const PAIRS: [&str; 11] = [
    "yield", "alone", "waker", "rewake", "spawn", "abroad", "asleep", "timeout", "late", "echo1",
    "echo64",
];

/// What it says. `None` where there is no ring.
fn twins(pair: &str, house: &str, n: &str) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_twins")).args([pair, house, n]).output();
    let output = output.expect("it was built");
    let complaint = String::from_utf8_lossy(&output.stderr);
    if complaint.contains("io_uring") {
        skip(format_args!("{}", complaint.trim()));
        return None;
    }
    assert!(output.status.success(), "twins {pair} {house} {n}: {complaint}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn does_its_work(pair: &str, house: &str) {
    let n = match pair {
        "late" => "10",
        "asleep" | "echo1" | "owned1" => "100",
        _ => "2000",
    };
    let Some(said) = twins(pair, house, n) else { return };
    assert!(said.contains("cpu_ns ") && said.contains("allocations "), "{pair} {house}: {said}");
    let tells = matches!(pair, "late" | "asleep");
    assert_eq!(
        said.contains("p50_ns ") && said.contains("p99_ns "),
        tells,
        "{pair} {house}: {said}"
    );
}

#[test]
fn every_pair_runs_on_every_runtime() {
    watch(|| {
        for house in ["chapter", "chapter-wheel", "chapter-ring", "mini", "mini-ring"] {
            PAIRS.iter().for_each(|pair| does_its_work(pair, house));
        }
    });
}

#[test]
fn owned_buffers_run_on_both_drivers() {
    watch(|| {
        for house in ["mini", "mini-ring"] {
            ["owned1", "owned64"].iter().for_each(|pair| does_its_work(pair, house));
        }
    });
}

#[test]
fn what_there_is_not_is_answered_by_the_usage() {
    for arguments in
        [["yield", "castle", "1"], ["owned1", "chapter", "1"], ["yield", "mini", "many"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_twins")).args(arguments).output();
        let output = output.expect("it was built");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: twins"));
    }
}
