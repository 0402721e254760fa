//! Each demo fails in just its way, and its mended version does not.

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
fn a_sleeper_whose_park_has_no_timeout_wakes_when_something_else_happens() {
    let began = ["main: I wait for a letter.", "sleeper: I sleep for 50 ms."];
    let outcome = start("late_sleeper", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(
        lines(&outcome.stdout),
        [
            &began[..],
            &[
                "post: a second has passed.",
                "post: I bring the letter.",
                "main: I have my letter.",
                "sleeper: I am awake.",
            ]
        ]
        .concat()
    );
    assert_eq!(outcome.stderr, "The sleeper was due long before. It woke when the post came.\n");

    assert_mended(
        "late_sleeper",
        &[
            &began[..],
            &[
                "sleeper: I am awake.",
                "post: I bring the letter.",
                "main: I have my letter.",
                "The sleeper was woken by its deadline.",
            ],
        ]
        .concat(),
    );
}

#[test]
fn a_sleep_that_keeps_its_first_waker_wakes_the_task_that_gave_it_away() {
    let mut printed = vec![
        "task 1: I have polled the sleep. Now I give it to task 2.",
        "task 2: I have the sleep, and await it.",
    ];
    let outcome = start("waker_kept_once", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    let stdout = lines(&outcome.stdout);
    assert_eq!(stdout[..2], printed);
    assert_eq!(stdout[2..], ["task 1: somebody has woken me. I do not know why."]);
    let said = lines(&outcome.stderr);
    assert_eq!(said.first(), Some(&&*format!("Nothing has happened for {:?}.", demo::PATIENCE)));
    // A release build has no trace to tell from.
    if trace::ENABLED {
        let task_2 = said.iter().find(|line| line.starts_with("Task 2 has been pending for"));
        let task_2 = task_2.expect("task 2 waits");
        assert!(task_2.ends_with("Nobody holds its waker, so nothing can wake it."), "{task_2}");
        assert!(!outcome.stderr.contains("Task 1"), "task 1 is over: {}", outcome.stderr);
    }

    printed.extend(["task 2: I am awake.", "block_on returned."]);
    assert_mended("waker_kept_once", &printed);
}

#[test]
fn a_sleep_that_takes_nothing_back_leaves_three_deadlines_for_each_answer() {
    let mut printed = vec![
        "I have asked 1000 times, and had 1000 answers. No timeout was needed.",
        "Now I wait for nothing any more.",
    ];
    let outcome = start("duplicate_entries", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "And yet 3000 deadlines are kept, each with a waker of mine.\n");

    printed.push("No deadline is kept.");
    assert_mended("duplicate_entries", &printed);
}
