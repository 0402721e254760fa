//! Each demo fails in just its way, and its mended version does not.

mod common;

use common::driver;
use conformance::demo::{self, HUNG, Version, start};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn assert_mended(name: &str, printed: &[&str]) {
    let outcome = start(name, Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None), "{}", outcome.stderr);
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn under_a_task_that_spins_a_park_with_a_shortcut_hears_no_completion() {
    if driver(8).is_none() {
        return;
    }
    let mut printed = vec!["client: I am connected. Now I spawn the spinner, and ask for an echo."];
    let outcome = start("starved_completions", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    assert_eq!(lines(&outcome.stdout), printed);
    let said = lines(&outcome.stderr);
    assert_eq!(said.first(), Some(&&*format!("Nothing has happened for {:?}.", demo::PATIENCE)));
    // A release build has no trace to tell from.
    if trace::ENABLED {
        let sends = said.iter().any(|line| line.ends_with("(Send) is with the kernel."));
        assert!(sends, "{}", outcome.stderr);
    }

    printed.push("client: I have my echo.");
    assert_mended("starved_completions", &printed);
}

#[test]
fn a_wheel_that_cascades_after_it_has_looked_is_a_turn_late_at_the_boundary() {
    let came = |deadline, tick| format!("The deadline of tick {deadline} comes at tick {tick}.");
    let outcome = start("off_by_one_cascade", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    let expected = [(62, 62), (63, 63), (65, 65), (127, 127), (64, 128), (129, 129), (190, 190)];
    assert_eq!(lines(&outcome.stdout), expected.map(|(deadline, tick)| came(deadline, tick)));
    let said = "Tick 64 was hung where the wheel had just been: 64 ticks late.\n";
    assert_eq!(outcome.stderr, said);

    let mut printed = [62, 63, 64, 65, 127, 129, 190].map(|tick| came(tick, tick)).to_vec();
    printed.push("This crate's wheel says the same.".to_owned());
    let printed: Vec<&str> = printed.iter().map(String::as_str).collect();
    assert_mended("off_by_one_cascade", &printed);
}

#[test]
fn a_heap_that_cannot_take_anything_out_keeps_a_million_dead_entries() {
    let mut printed = vec![
        "I have asked a million times, and had a million answers.",
        "Now I wait for nothing any more.",
    ];
    let outcome = start("million_cancels", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "And yet 1000000 entries are kept, for a minute each.\n");

    printed.push("No entry is kept.");
    assert_mended("million_cancels", &printed);
}
