//! Each demo fails in just the way that the book shows, and its mended version does not.

use conformance::demo::{self, HUNG, Outcome, Version};

fn hangs(name: &str) -> Outcome {
    let outcome = demo::start(name, Version::Failing);
    assert_eq!(outcome.status, Some(HUNG), "{outcome:?}");
    assert!(!outcome.stdout.contains("block_on returned"), "{outcome:?}");
    assert!(outcome.stderr.contains("The thread has been parked for"), "{outcome:?}");
    outcome
}

fn returns(name: &str) -> Outcome {
    let outcome = demo::start(name, Version::Mended);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.contains("block_on returned"), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    outcome
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_future_that_forgets_its_waker_is_polled_once() {
    let outcome = hangs("forgotten_waker");
    assert!(outcome.stdout.contains("No waker lies there"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("Nobody holds its waker, so nothing can wake it."),
        "{outcome:?}"
    );
    assert!(!outcome.stdout.contains("poll 2"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_future_that_leaves_its_waker_is_polled_twice() {
    let outcome = returns("forgotten_waker");
    assert!(outcome.stdout.contains("poll 2"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_flag_raised_between_the_look_and_the_waker_wakes_nobody() {
    let outcome = hangs("check_then_register");
    assert!(outcome.stdout.contains("there is no waker"), "{outcome:?}");
    assert!(outcome.stderr.contains("1 waker(s) of it are kept"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_waker_left_before_the_look_is_found() {
    let outcome = returns("check_then_register");
    assert!(outcome.stdout.contains("there is a waker"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_channel_takes_the_token_of_its_thread() {
    let outcome = hangs("stolen_token");
    assert!(outcome.stdout.contains("the waker was called"), "{outcome:?}");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_channel_cannot_take_the_token_of_a_parker() {
    let outcome = returns("stolen_token");
    assert!(outcome.stdout.contains("the waker was called"), "{outcome:?}");
}
