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
fn a_library_that_has_chosen_tokio_panics_on_another_runtime() {
    let asks = "main: I run on chapter 11's runtime, and ask the library to read ahead.";
    let outcome = start("whose_runtime", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(101), None));
    assert_eq!(lines(&outcome.stdout), [asks]);
    assert!(outcome.stderr.contains("there is no reactor running"), "{}", outcome.stderr);

    let items = [1, 2, 3].map(|number| format!("main: I have got item {number}."));
    assert_mended("whose_runtime", &[asks, &items[0], &items[1], &items[2]]);
}

#[test]
fn a_task_that_computes_leaves_no_turn_to_io_unless_it_has_a_thread_of_its_own() {
    let mut printed = vec![
        "client: I say hello to the server, and get an answer each time.",
        "main: let us count the primes below 200000.",
        "main: there are 17984.",
    ];
    let outcome = start("io_beside_compute", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), printed);
    let said = "The client has had no answer meanwhile. One task had the thread.\n";
    assert_eq!(outcome.stderr, said);

    printed.push("The client was answered meanwhile.");
    assert_mended("io_beside_compute", &printed);
}

#[test]
fn a_std_mutex_that_is_held_over_an_await_blocks_the_thread_that_would_let_it_go() {
    let outcome = start("guard_across_await", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    let printed = ["one: I want the lock.", "one: I have it.", "two: I want the lock."];
    assert_eq!(lines(&outcome.stdout), printed);
    let said = lines(&outcome.stderr);
    assert_eq!(said[0], format!("Nothing has happened for {:?}.", demo::PATIENCE));
    // Nobody has forgotten a waker: the second task blocks, and the first one's sleep is never over.
    assert!(said[2].starts_with("Task 1 has been pending for"), "{said:?}");
    assert!(said[3].starts_with("Task 2 has been inside one poll for"), "{said:?}");

    assert_mended(
        "guard_across_await",
        &[
            "one: I want the lock.",
            "two: I want the lock.",
            "one: I have it.",
            "one: I have let it go.",
            "two: I have it.",
            "two: I have let it go.",
            "The total is 20.",
        ],
    );
}
