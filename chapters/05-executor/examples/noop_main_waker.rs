//! A main future that waits for a task first, and for another thread second. (Fault S5.)
//!
//! The first draft of the executor gives the main future a waker that does nothing. It polls the
//! main future anyway, before and after it has run the tasks. Predict: which of the two answers
//! arrive?
//!
//! `cargo run -p ch05-executor --example noop_main_waker`
//! `cargo run -p ch05-executor --example noop_main_waker -- mended`

mod first_draft;

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, Park, spawn};
use conformance::demo::{self, Version};

// ANCHOR: program
async fn program(executor_sleeps: Receiver<()>) {
    let (setter, answer) = signal();
    spawn(async move { setter.set("the task") });
    println!("main: I wait for the task.");
    println!("main: {} has answered.", answer.await.unwrap_or("nobody"));

    let (setter, answer) = signal();
    thread::spawn(move || {
        // The worst moment to answer, every time.
        if executor_sleeps.recv().is_ok() {
            println!("thread: the executor goes to sleep. I answer, and call main's waker.");
            setter.set("the thread");
        }
    });
    println!("main: I wait for the thread.");
    println!("main: {} has answered.", answer.await.unwrap_or("nobody"));
}
// ANCHOR_END: program

// ANCHOR: main
fn main() -> ExitCode {
    demo::run(|version| {
        let (park, executor_sleeps) = Announced::new();
        let program = program(executor_sleeps);
        match version {
            Version::Failing => first_draft::block_on(park, program),
            Version::Mended => Executor::new(park).block_on(program),
        }
        println!("block_on returned.");
        Ok(())
    })
}
// ANCHOR_END: main

/// A parker that says when it is about to sleep.
struct Announced {
    parker: Parker,
    sleeps: Sender<()>,
}

impl Announced {
    fn new() -> (Announced, Receiver<()>) {
        let (sleeps, executor_sleeps) = channel();
        let parker = Parker::new();
        (Announced { parker, sleeps }, executor_sleeps)
    }
}

impl Park for Announced {
    fn park(&self, timeout: Option<Duration>) -> io::Result<()> {
        // The thread listens to the first announcement only, and is gone when more come.
        let _ = self.sleeps.send(());
        Park::park(&self.parker, timeout)
    }

    fn unparker(&self) -> Waker {
        self.parker.unparker()
    }
}
