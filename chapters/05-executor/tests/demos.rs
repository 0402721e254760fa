//! Each demo fails in just its way, and its mended version does not.

use conformance::demo::{self, HUNG, Outcome, Version, start};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// The explanation of a hang, which ends with the sleeping thread.
fn explanation(outcome: &Outcome) -> Vec<&str> {
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    let said = lines(&outcome.stderr);
    let patience = format!("Nothing has happened for {:?}.", demo::PATIENCE);
    assert_eq!(said.first(), Some(&patience.as_str()));
    let last = said.last().expect("there is a first line");
    assert!(last.starts_with("The thread has been parked for"), "{last}");
    assert!(last.ends_with("with no timeout."), "{last}");
    said[1..said.len() - 1].to_vec()
}

fn assert_mended(name: &str, printed: &[&str]) {
    let outcome = start(name, Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "");
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_main_future_with_a_noop_waker_sleeps_through_a_wake_from_a_thread() {
    let mut printed = vec![
        "main: I wait for the task.",
        "main: the task has answered.",
        "main: I wait for the thread.",
        "thread: the executor goes to sleep. I answer, and call main's waker.",
    ];
    let outcome = start("noop_main_waker", Version::Failing);
    assert_eq!(lines(&outcome.stdout), printed);
    let said = explanation(&outcome);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("The main future has been pending"));
    assert!(
        said[0].ends_with("after 2 poll(s). Nobody holds its waker, so nothing can wake it."),
        "{said:?}"
    );

    printed.extend(["main: the thread has answered.", "block_on returned."]);
    assert_mended("noop_main_waker", &printed);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_task_that_is_spawned_in_the_second_poll_stays_in_the_queue_for_ever() {
    let mut printed = vec![
        "main: I have spawned task 1, and wait for it.",
        "task 1: I run.",
        "main: I have spawned task 2, and wait for it.",
    ];
    let outcome = start("parks_with_a_task_queued", Version::Failing);
    let stdout = lines(&outcome.stdout);
    assert_eq!(stdout[..stdout.len() - 1], printed);
    let trace = stdout[stdout.len() - 1];
    assert!(trace.starts_with("trace: parks_only_when_idle is broken at event"));
    assert!(trace.ends_with("the thread parks while task 2 waits in the run queue."), "{trace}");
    let said = explanation(&outcome);
    assert_eq!(said[1..], ["Task 2 was spawned and never polled."]);

    printed.extend(["task 2: I run.", "block_on returned."]);
    assert_mended("parks_with_a_task_queued", &printed);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_task_that_is_woken_five_times_is_polled_five_times_and_four_of_them_in_vain() {
    let mut printed = vec![
        "reader, poll 1: 0 letters.",
        "postman: 5 letters are in the box. I called the reader's waker 5 times.",
        "reader, poll 2: 5 letters.",
    ];
    let outcome = start("polled_in_vain", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(
        lines(&outcome.stdout),
        [
            &printed[..],
            &[
                "reader, poll 3: 0 letters.",
                "reader, poll 4: 0 letters.",
                "reader, poll 5: 0 letters.",
                "reader, poll 6: 0 letters.",
            ]
        ]
        .concat()
    );
    assert_eq!(outcome.stderr, "The reader was polled in vain, 4 times.\n");

    printed.push("block_on returned.");
    assert_mended("polled_in_vain", &printed);
}
