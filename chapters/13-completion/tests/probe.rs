//! Kernels that have no ring to give, played by strace: it lets system calls fail as one likes.

mod common;

use std::process::Command;

use common::driver;
use conformance::demo::{Outcome, example, finish_within_deadline};
use conformance::skip;

/// What `cat Cargo.toml` does when a system call fails like this; `None`, and a line that cannot be
/// overlooked, if there is no strace here, or if it may not trace.
fn cat_with(fault: &str) -> Option<Outcome> {
    let strace = |arguments: &[&str]| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null"]).args(arguments);
        command
    };
    let works = strace(&["true"]).output().is_ok_and(|output| output.status.success());
    if !works {
        skip("no strace that works here");
        return None;
    }
    let cat = example("cat");
    let mut command = strace(&["-e", &format!("inject={fault}")]);
    command.arg(cat.get_program()).arg("Cargo.toml");
    Some(finish_within_deadline(&mut command))
}

#[track_caller]
fn ends_with(fault: &str, sentence: &str) {
    let Some(outcome) = cat_with(fault) else { return };
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
    let said = format!("cat: Cargo.toml cannot be printed: {sentence}\n");
    assert_eq!(outcome.stderr, said);
}

#[test]
fn a_kernel_without_io_uring_gives_a_sentence() {
    ends_with(
        "io_uring_setup:error=ENOSYS",
        "this kernel has no io_uring, which came with Linux 5.1",
    );
}

#[test]
fn a_container_that_forbids_io_uring_gives_a_sentence() {
    // Where it is switched off for real, that is what is said.
    if driver(1).is_none() {
        return;
    }
    ends_with(
        "io_uring_setup:error=EPERM",
        "io_uring is forbidden here: many containers filter its system calls",
    );
}

#[test]
fn a_kernel_that_locks_no_memory_gives_a_sentence() {
    ends_with(
        "io_uring_setup:error=ENOMEM",
        "too little memory may be locked for a ring: see `ulimit -l`",
    );
}

#[test]
fn a_kernel_that_is_too_old_gives_a_sentence() {
    if driver(1).is_none() {
        return;
    }
    ends_with(
        "io_uring_register:error=EINVAL",
        "the io_uring of this kernel has no probe, which came with Linux 5.6",
    );
}

#[test]
fn errors_that_need_no_words_of_ours_stay_as_they_are() {
    ends_with("io_uring_setup:error=EMFILE", "Too many open files (os error 24)");
}

#[test]
fn a_kernel_that_is_busy_or_short_of_memory_for_a_while_is_asked_again() {
    if driver(1).is_none() {
        return;
    }
    let text = std::fs::read_to_string("Cargo.toml").expect("tests run beside it");
    for errno in ["EINTR", "EBUSY", "EAGAIN"] {
        let Some(outcome) = cat_with(&format!("io_uring_enter:error={errno}:when=1..3")) else {
            return;
        };
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{errno}");
        assert_eq!(outcome.stdout, text, "{errno}");
    }
}

#[test]
fn a_kernel_that_refuses_to_wait_ends_the_program_and_does_not_hang_it() {
    if driver(1).is_none() {
        return;
    }
    let Some(outcome) = cat_with("io_uring_enter:error=ENXIO") else { return };
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(101), ""));
    let sentence = "the kernel refuses to wait for completions";
    assert!(outcome.stderr.contains(sentence), "{}", outcome.stderr);
}
