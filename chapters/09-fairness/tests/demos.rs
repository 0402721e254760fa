//! Each demo fails in just its way, and its mended version does not.

use conformance::demo::{Version, start};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn s6_no_echo_comes_while_a_task_wakes_itself_on_chapter_5s_executor() {
    let outcome = start("starving_spinner", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None), "{outcome:?}");
    let printed = [
        "client: I have had an echo. Now I spawn the spinner, and ask for ten more.",
        "spinner: I end. There have been 0 echoes.",
        "client: I have had all ten.",
    ];
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "While the spinner ran, nobody looked at the sockets.\n");
}

#[test]
fn s6_with_a_run_budget_all_echoes_come() {
    let outcome = start("starving_spinner", Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None), "{outcome:?}");
    let printed = [
        "client: I have had an echo. Now I spawn the spinner, and ask for ten more.",
        "client: I have had all ten.",
        "spinner: I end. There have been 10 echoes.",
    ];
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_reader_who_always_finds_something_keeps_the_thread() {
    let outcome = start("greedy_reader", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None), "{outcome:?}");
    assert_eq!(outcome.stdout, "other task: my first turn. 1000000 items have been read.\n");
    let said = "The reader gave the thread back when there was nothing left.\n";
    assert_eq!(outcome.stderr, said);
}

#[test]
fn a_reader_with_a_budget_gives_the_thread_back_after_128_items() {
    let outcome = start("greedy_reader", Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None), "{outcome:?}");
    assert_eq!(outcome.stdout, "other task: my first turn. 128 items have been read.\n");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_blocking_call_stops_the_heart_and_the_detector_names_its_task() {
    let outcome = start("blocked_heartbeat", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None), "{outcome:?}");
    let spawned = include_str!("../examples/blocked_heartbeat.rs")
        .lines()
        .position(|line| line.trim() == "spawn(async move {")
        .expect("the example spawns the reader");
    let place = format!("examples/blocked_heartbeat.rs:{}:13", spawned + 1);
    assert!(outcome.stdout.contains("reader: I have read 20 rows.\n"), "{outcome:?}");
    // On a busy machine, the detector may name others as well.
    let blamed = lines(&outcome.stdout).into_iter().any(|line| {
        line.starts_with("detector: the task that was spawned at ")
            && line.contains(&format!("{place} kept the thread for "))
    });
    assert!(blamed, "{outcome:?}");
    assert_eq!(outcome.stderr, "The heart did not beat while the rows were read.\n");
}

#[test]
fn a_task_that_yields_between_its_pieces_lets_the_heart_beat() {
    let outcome = start("blocked_heartbeat", Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None), "{outcome:?}");
    // On a busy machine, the detector may have something to say as well.
    assert!(outcome.stdout.contains("reader: I have read 20 rows."), "{outcome:?}");
    assert!(outcome.stdout.ends_with("The heart beat while the rows were read.\n"), "{outcome:?}");
}
