//! Each demo fails in just its way, and its mended version does not.

mod common;

use common::driver;
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
fn a_dropped_receive_writes_into_memory_that_is_somebody_elses_by_then() {
    if driver(1).is_none() {
        return;
    }
    let mut printed = vec![
        "reader: the kernel writes to block 1, when something comes.",
        "reader: nothing comes. I drop the future.",
        "keeper: I have got block 1, and put a canary into it.",
        "peer: here I am, with a raptor.",
    ];
    let outcome = start("canary", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), printed);
    assert_eq!(outcome.stderr, "Block 1 holds a raptor now, and no canary.\n");

    printed[2] = "keeper: I have got block 2, and put a canary into it.";
    printed.push("driver: the kernel has let go, and block 1 is free.");
    printed.push("keeper: the canary is well.");
    assert_mended("canary", &printed);
}

#[test]
fn a_dropped_accept_leaves_a_descriptor_open_that_nobody_knows() {
    if driver(1).is_none() {
        return;
    }
    let gone = "3 clients came too late, and have gone again.";
    let outcome = start("dropped_accept", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), [gone]);
    assert_eq!(outcome.stderr, "3 descriptors are open, and nobody knows them.\n");

    assert_mended("dropped_accept", &[gone, "All descriptors are closed."]);
}

#[test]
fn an_operation_that_found_the_queue_full_is_waited_for_in_vain() {
    if driver(1).is_none() {
        return;
    }
    let on_their_way = "12 operations are on their way.";
    let outcome = start("full_queue", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(HUNG), None));
    assert_eq!(lines(&outcome.stdout), [on_their_way, "8 of them are completed."]);
    let said = lines(&outcome.stderr);
    assert_eq!(said[0], format!("Nothing has happened for {:?}.", demo::PATIENCE));
    assert!(said[1].starts_with("The thread has been parked for"), "{said:?}");
    assert!(said[1].ends_with("with no timeout."), "{said:?}");

    let full = "The queue is full. The kernel takes what is in it.";
    assert_mended("full_queue", &[full, on_their_way, "12 of them are completed."]);
}

#[test]
fn a_late_completion_is_taken_for_that_of_the_next_one_in_its_place() {
    if driver(1).is_none() {
        return;
    }
    let mut printed = vec![
        "shop: I wait for a customer.",
        "shop: nobody comes. I close.",
        "bank: I wait for a client.",
        "customer: here I am, at the shop.",
    ];
    let outcome = start("who_was_that_for", Version::Failing);
    assert_eq!((outcome.status, outcome.signal), (Some(1), None));
    assert_eq!(lines(&outcome.stdout), printed);
    let heard = "The customer of the shop hears: Your account holds 1,000,000 coins.\n";
    assert_eq!(outcome.stderr, heard);

    printed.push("customer: the shop is closed. Well.");
    assert_mended("who_was_that_for", &printed);
}
