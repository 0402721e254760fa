//! Each demo fails in just its way, and its mended version does not.

use conformance::demo::{self, HUNG, Version, start};

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn assert_mended(name: &str, printed: &[&str]) {
    let outcome = start(name, Version::Mended);
    assert_eq!((outcome.status, outcome.signal), (Some(0), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_reader_that_loses_a_select_takes_half_a_line_with_it() {
    let tick = "Tick. The future that reads a line is dropped.";
    let outcome = start("select_loses_lines", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), [tick, "My friend says: \"the station\""]);
    let said = "The first half of the line was in the future that was dropped.\n";
    assert_eq!(outcome.stderr, said);

    let whole = "My friend says: \"meet me at the station\"";
    assert_mended("select_loses_lines", &[tick, whole]);
}

#[test]
fn a_dropped_handle_leaves_its_task_running_unless_it_aborts_on_drop() {
    let grinds = "barista: I grind the beans.";
    let leaves = "guest: too late, I am off.";
    let put_away = "barista: the cup is put away.";
    let outcome = start("dropped_handle", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    let made = "barista: here is your coffee.";
    assert_eq!(lines(&outcome.stdout), [grinds, leaves, made, put_away]);
    assert_eq!(outcome.stderr, "A coffee was made, and nobody is there to drink it.\n");

    assert_mended("dropped_handle", &[grinds, leaves, put_away]);
}

#[test]
fn a_future_that_holds_a_lock_and_is_not_polled_any_more_hangs_its_task() {
    let mut printed =
        vec!["slow: I have the lock, and keep it for 20 ms.", "quick: I want the lock."];
    let outcome = start("futurelock", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    assert_eq!(lines(&outcome.stdout), printed);
    let said = lines(&outcome.stderr);
    assert_eq!(said[0], format!("Nothing has happened for {:?}.", demo::PATIENCE));
    assert!(said[1].starts_with("The main future has been pending for"), "{said:?}");
    // It is no lost waker: the sleep has woken the task, which then polled the other future.
    assert!(said[1].ends_with("after 3 poll(s). 1 waker(s) of it are kept somewhere."), "{said:?}");
    assert!(said[2].ends_with("with no timeout."), "{said:?}");

    printed.extend([
        "slow: I am done, and let it go.",
        "quick: I had the lock.",
        "Both had their turn.",
    ]);
    assert_mended("futurelock", &printed);
}

#[test]
fn a_registry_that_wakes_while_it_is_borrowed_panics_in_the_drop_of_a_future() {
    let mut printed = vec![
        "Two guests wait for the bell. Only their wakers know of them.",
        "The bell rings.",
        "guest 1: I go, and take my waker with me.",
    ];
    let outcome = start("borrowed_while_waking", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(101), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert!(outcome.stderr.contains("RefCell already borrowed"), "{}", outcome.stderr);

    printed.extend(["guest 2: I go, and take my waker with me.", "Good night."]);
    assert_mended("borrowed_while_waking", &printed);
}
