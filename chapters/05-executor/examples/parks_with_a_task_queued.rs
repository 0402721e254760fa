//! A main future that spawns two tasks, one after the other, and waits for each. (Fault S1.)
//!
//! Nothing comes from outside here: no other thread, no clock, no socket. There is always something
//! to run, until the program ends. Predict: how far does the first draft of the executor get?
//!
//! `cargo run -p ch05-executor --example parks_with_a_task_queued`
//! `cargo run -p ch05-executor --example parks_with_a_task_queued -- mended`

mod first_draft;

use std::io;
use std::process::ExitCode;
use std::task::Waker;
use std::time::Duration;

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, Park, spawn};
use conformance::demo::{self, Version};
use trace::{Recording, invariants};

// ANCHOR: program
async fn program() {
    for number in 1..=2 {
        let (setter, done) = signal();
        spawn(async move {
            println!("task {number}: I run.");
            setter.set(());
        });
        println!("main: I have spawned task {number}, and wait for it.");
        done.await;
    }
}
// ANCHOR_END: program

// ANCHOR: main
fn main() -> ExitCode {
    demo::run(|version| {
        let park = Checked(Parker::new());
        match version {
            Version::Failing => first_draft::block_on(park, program()),
            Version::Mended => Executor::new(park).block_on(program()),
        }
        println!("block_on returned.");
        Ok(())
    })
}
// ANCHOR_END: main

/// A parker that looks at the trace first: may this thread sleep?
struct Checked(Parker);

impl Park for Checked {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        if let Some(recording) = Recording::current()
            && let Err(violation) = invariants::parks_only_when_idle(&recording.records())
        {
            println!("trace: {violation}.");
        }
        Park::park(&self.0, timeout)
    }

    fn unparker(&self) -> Waker {
        self.0.unparker()
    }
}
