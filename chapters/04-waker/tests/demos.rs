//! Each failing demo fails in the way its header says, and its mended version does not.

use conformance::demo::{Outcome, Version, start};

fn fails(name: &str) -> Outcome {
    start(name, Version::Failing)
}

fn is_mended(name: &str) -> Outcome {
    let outcome = start(name, Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    outcome
}

/// The number at the end of each line, if there is one: "Its count is 3."
fn counts(outcome: &Outcome) -> Vec<u32> {
    let number = |line: &str| line.strip_suffix('.')?.rsplit(' ').next()?.parse().ok();
    outcome.stdout.lines().filter_map(number).collect()
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_wake_that_keeps_its_reference_leaks_the_task() {
    let outcome = fails("wrong_counts_leak");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(counts(&outcome), [1, 2, 3, 2, 1], "{outcome:?}");
    assert!(outcome.stderr.contains("this is a leak"), "{outcome:?}");

    let outcome = is_mended("wrong_counts_leak");
    assert_eq!(counts(&outcome), [1, 2, 2, 1, 0], "{outcome:?}");
    assert!(outcome.stdout.contains("The future has been dropped"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_clone_that_takes_no_reference_makes_the_count_fall_below_the_holders() {
    let outcome = fails("wrong_counts_double_free");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(counts(&outcome), [2, 3, 3, 2, 1], "{outcome:?}");
    assert!(outcome.stderr.contains("This is a double free"), "{outcome:?}");

    let outcome = is_mended("wrong_counts_double_free");
    assert_eq!(counts(&outcome), [2, 3, 4, 3, 2], "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_flag_cleared_after_the_poll_swallows_the_wake() {
    let outcome = fails("wake_during_poll");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout.matches("The poll begins.").count(), 1);
    assert!(outcome.stdout.contains("nothing to do"), "{outcome:?}");
    assert!(!outcome.stdout.contains("second half"), "{outcome:?}");
    assert!(outcome.stderr.contains("it sleeps for ever"), "{outcome:?}");

    let outcome = is_mended("wake_during_poll");
    assert_eq!(outcome.stdout.matches("The poll begins.").count(), 2);
    assert!(outcome.stdout.contains("second half"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_task_without_the_option_polls_a_future_that_is_done() {
    let taken = "The task was taken from the queue.";

    let outcome = fails("polled_after_completion");
    assert_eq!(outcome.status, Some(101), "{outcome:?}");
    assert_eq!(outcome.stdout.matches(taken).count(), 3, "{outcome:?}");
    assert_eq!(outcome.stdout.matches("poll:").count(), 2, "{outcome:?}");
    assert!(outcome.stderr.contains("`async fn` resumed after completion"), "{outcome:?}");

    let outcome = is_mended("polled_after_completion");
    assert_eq!(outcome.stdout.matches(taken).count(), 3, "{outcome:?}");
    assert_eq!(outcome.stdout.matches("future:").count(), 2, "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_waker_used_on_another_thread_aborts_with_a_sentence() {
    let outcome = fails("wrong_thread");
    assert_eq!(outcome.signal, Some(6), "{outcome:?}");
    assert!(outcome.stdout.contains("The other thread"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("used on another thread") && outcome.stderr.contains("chapter 11"),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("answer is 42"), "{outcome:?}");

    let outcome = is_mended("wrong_thread");
    assert!(outcome.stdout.contains("answer is 42"), "{outcome:?}");
}
