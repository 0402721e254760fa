//! Each demo fails in just its way, and its mended version does not.

use conformance::demo::{self, HUNG, Outcome, Version, start};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn assert_printed(outcome: &Outcome, printed: &[&str]) {
    assert_eq!((outcome.status, outcome.signal), (Some(0), None), "{outcome:?}");
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "");
}

/// The explanation of a demo that hung.
fn assert_hung(outcome: &Outcome) -> Vec<&str> {
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None), "{outcome:?}");
    let said = lines(&outcome.stderr);
    assert_eq!(said[0], format!("Nothing has happened for {:?}.", demo::PATIENCE));
    said
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_clone_of_an_rc_waker_on_another_thread_ends_the_process() {
    let mut printed = vec![
        "task: no answer yet. I share my waker with another thread.",
        "thread: I take a waker of my own.",
    ];
    let outcome = start("rc_waker_abroad", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (None, Some(6)), "{outcome:?}");
    assert_eq!(lines(&outcome.stdout), printed);
    let said = "A waker was used on another thread than the one that owns its task.\n\
                These wakers count with an Rc and must stay at home; chapter 11 builds wakers that travel.\n";
    assert_eq!(outcome.stderr, said);

    printed.extend([
        "thread: I have it. And I have the answer, so I wake the task.",
        "task: the answer is 42.",
    ]);
    assert_printed(&start("rc_waker_abroad", Version::Mended), &printed);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn a_wake_between_the_look_and_the_sleep_is_lost_if_the_sender_asks_whether_somebody_sleeps() {
    let looks = "reader: I look, and the inbox is empty.";
    let sleeps = "reader: I go to sleep.";
    let outcome = start("lost_wake", Version::Failing);
    let printed = [
        looks,
        "sender: the message is there.",
        "sender: the flag says that the reader is awake. I need not unpark it.",
        sleeps,
    ];
    assert_eq!(lines(&outcome.stdout), printed);
    let said = assert_hung(&outcome);
    assert!(said[1].starts_with("The thread has been parked for"), "{said:?}");
    assert!(said[1].ends_with("with no timeout."), "{said:?}");

    let printed = [
        looks,
        "sender: the message is there. I unpark the reader, whatever it does.",
        sleeps,
        "reader: somebody has unparked me.",
        "reader: I have a message: It rains.",
    ];
    assert_printed(&start("lost_wake", Version::Mended), &printed);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn work_that_waits_for_work_of_its_own_pool_hangs_when_the_pool_is_full_of_it() {
    let to_be_made = "4 reports are to be made.";
    let outcome = start("pool_of_pool", Version::Failing);
    let printed = [to_be_made, "4 reports have begun, on all 4 threads of the pool."];
    assert_eq!(lines(&outcome.stdout), printed);
    let said = assert_hung(&outcome);
    assert!(said[1].starts_with("The main future has been pending for"), "{said:?}");
    // The library's four calls: somebody would wake them, if their work had a thread.
    let tasks = said.iter().filter(|line| line.starts_with("Task ")).collect::<Vec<_>>();
    assert_eq!(tasks.len(), 4, "{said:?}");
    for task in tasks {
        assert!(task.ends_with("after 1 poll(s). 1 waker(s) of it are kept somewhere."), "{task}");
    }

    let printed =
        [to_be_made, "Quarter 1: 100.", "Quarter 2: 200.", "Quarter 3: 300.", "Quarter 4: 400."];
    assert_printed(&start("pool_of_pool", Version::Mended), &printed);
}

#[test]
#[cfg_attr(miri, ignore = "starts a process")]
fn the_bridges_carry_a_number_in_both_directions() {
    let outcome = demo::finish_within_deadline(&mut demo::example("bridges"));
    let printed = [
        "From sync to async: the runtime is on another thread.",
        "  by Handle::block_on:          42",
        "  by a task and a channel:      42",
        "From async to sync: the runtime is on this thread.",
        "  by spawn_blocking:            42",
        "  by a thread and a channel:    42",
    ];
    assert_printed(&outcome, &printed);
}
