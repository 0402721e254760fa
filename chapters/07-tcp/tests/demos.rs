//! Each failing demo fails in just the way that the chapter says, and its mended version does not.

use conformance::demo::{Version, start};

#[test]
fn a_task_that_trusts_readiness_meets_would_block() {
    let outcome = start("readiness_is_a_hint", Version::Failing);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("Task 0 was woken, and read 'x'."), "{outcome:?}");
    assert!(outcome.stdout.contains("Task 1 was woken, too."), "{outcome:?}");
    assert!(outcome.stderr.contains("Resource temporarily unavailable"), "{outcome:?}");
}

#[test]
fn a_task_that_tries_again_waits_for_the_next_byte() {
    let outcome = start("readiness_is_a_hint", Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let read: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.split_once(" read ")).map(|l| l.1).collect();
    assert_eq!(read, ["'x'.", "'y'."], "{outcome:?}");
}

#[test]
fn closing_both_sides_loses_the_answer() {
    let outcome = start("half_close", Version::Failing);
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("The answer: \"\""), "{outcome:?}");
    assert!(outcome.stderr.contains("closed its ears"), "{outcome:?}");
}

#[test]
fn closing_the_write_side_leaves_the_answer() {
    let outcome = start("half_close", Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("The answer: \"IS ANYBODY THERE?\""), "{outcome:?}");
}

#[test]
fn s7_a_stream_that_looks_for_its_reactor_panics_outside_of_the_runtime() {
    let outcome = start("dropped_outside", Version::Failing);
    assert_eq!(outcome.status, Some(101), "{outcome:?}");
    assert!(outcome.stdout.contains("and looks for its reactor"), "{outcome:?}");
    assert!(outcome.stderr.contains("scoped thread local"), "{outcome:?}");
}

#[test]
fn s7_a_stream_that_holds_its_reactor_may_be_dropped_anywhere() {
    let outcome = start("dropped_outside", Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("and nothing happened"), "{outcome:?}");
}
