//! Each demo fails in just the way that the book shows, and its mended version does not.

use conformance::demo::{self, HUNG, Outcome, Version};

fn mended(name: &str) -> Outcome {
    let outcome = demo::start(name, Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    outcome
}

fn hangs(name: &str) -> Outcome {
    let outcome = demo::start(name, Version::Failing);
    assert_eq!(outcome.status, Some(HUNG), "{outcome:?}");
    // A release build records nothing, so there it cannot explain.
    let explained = outcome.stderr.contains("The thread has been parked for");
    assert_eq!(explained, trace::ENABLED, "{outcome:?}");
    outcome
}

#[test]
fn a_reader_that_is_armed_disarms_the_writer() {
    let outcome = hangs("reader_disarms_writer");
    assert!(outcome.stdout.contains("There is room in the socket now."), "{outcome:?}");
    assert!(!outcome.stdout.contains("my question is sent"), "{outcome:?}");
    let says = |end: &str| {
        outcome.stderr.lines().any(|line| line.starts_with("The reactor") && line.ends_with(end))
    };
    for end in [
        "(read), and the kernel was asked to report it.",
        "(write), but the kernel was NOT asked to report it.",
    ] {
        assert_eq!(says(end), trace::ENABLED, "{outcome:?}");
    }
}

#[test]
fn a_reader_that_is_armed_beside_the_writer_leaves_it_armed() {
    let outcome = mended("reader_disarms_writer");
    assert!(outcome.stdout.ends_with("All three tasks are done.\n"), "{outcome:?}");
}

/// Whether the table has this row.
fn row(outcome: &Outcome, step: &str, [level, edge, oneshot]: [&str; 3]) -> bool {
    outcome.stdout.lines().any(|line| {
        let mut words = line.trim_start().strip_prefix(step).unwrap_or_default().split_whitespace();
        [level, edge, oneshot].into_iter().all(|count| words.next() == Some(count))
    })
}

#[test]
fn a_level_is_reported_for_ever_and_a_rest_is_no_edge() {
    let outcome = hangs("trigger_modes");
    for (step, counts) in [
        ("four bytes are written", ["1000", "1", "1"]),
        ("two are read", ["1000", "0", "0"]),
        ("we ask again", ["1000", "1", "1"]),
    ] {
        assert!(row(&outcome, step, counts), "{step}: {outcome:?}");
    }
    assert!(outcome.stdout.contains("I read \"pi\""), "{outcome:?}");
    assert!(outcome.stdout.ends_with("I sleep until there is a report.\n"), "{outcome:?}");
}

#[test]
fn a_reader_that_asks_again_gets_the_rest() {
    let outcome = mended("trigger_modes");
    assert!(outcome.stdout.contains("I read \"ng\""), "{outcome:?}");
    assert!(outcome.stdout.ends_with("the message is \"ping\".\n"), "{outcome:?}");
}

#[test]
fn a_slot_that_delete_forgets_is_woken_for_the_next_owner() {
    let outcome = demo::start("reused_fd", Version::Failing);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("still kept: 1."), "{outcome:?}");
    assert!(outcome.stdout.ends_with("Wakes: old 1, new 1.\n"), "{outcome:?}");
    assert!(outcome.stderr.ends_with("has woken its old owner.\n"), "{outcome:?}");
}

#[test]
fn a_slot_that_delete_empties_is_the_next_owners_alone() {
    let outcome = mended("reused_fd");
    assert!(outcome.stdout.contains("still kept: 0."), "{outcome:?}");
    assert!(outcome.stdout.ends_with("Wakes: old 0, new 1.\n"), "{outcome:?}");
}

#[test]
fn the_program_that_is_counted_under_strace_ends() {
    // It is no demo and knows no versions: this starts it without an argument.
    let outcome = demo::start("thousand_reads", Version::Failing);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}
