//! A task that sleeps for 50 milliseconds, and a main future that waits for a letter. Another
//! thread brings the letter: when the sleeper says that it is awake, or else after a second.
//!
//! The timers are kept in order, and whoever is due is woken after each park. Only: the park
//! inside, which puts the thread to sleep, is not told for how long. Predict: when does the sleeper
//! wake?
//!
//! `cargo run -p ch08-timers --example late_sleeper`
//! `cargo run -p ch08-timers --example late_sleeper -- mended`

use std::cell::Cell;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, Park, spawn};
use ch08_timers::{Clock, TimerPark, Timers, enter, sleep};
use conformance::demo::{self, Version};

// ANCHOR: fault
/// A parker that ignores the deadline: it sleeps until somebody unparks it.
struct Deaf(Parker);

impl Park for Deaf {
    fn park(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Park::park(&self.0, None)
    }

    fn unparker(&self) -> Waker {
        self.0.unparker()
    }
}
// ANCHOR_END: fault

// ANCHOR: program
async fn program() -> Result<(), String> {
    let (setter, letter) = signal();
    let (awake, is_awake) = channel();
    thread::spawn(move || {
        if is_awake.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            println!("post: a second has passed.");
        }
        println!("post: I bring the letter.");
        setter.set(());
    });

    let (wakes, slept) = signal();
    let letter_was_first = Rc::new(Cell::new(false));
    let has_come = letter_was_first.clone();
    spawn(async move {
        println!("sleeper: I sleep for 50 ms.");
        sleep(Duration::from_millis(50)).await;
        println!("sleeper: I am awake.");
        // An error says that the post is on its way already.
        let _ = awake.send(());
        wakes.set(has_come.get());
    });

    println!("main: I wait for a letter.");
    letter.await;
    println!("main: I have my letter.");
    letter_was_first.set(true);
    match slept.await {
        Some(true) => Err("The sleeper was due long before. It woke when the post came.".into()),
        _ => Ok(()),
    }
}
// ANCHOR_END: program

fn main() -> ExitCode {
    demo::run(|version| {
        let timers = Rc::new(Timers::new(Clock::real()));
        let executor = match version {
            Version::Failing => Executor::new(TimerPark::new(Deaf(Parker::new()), timers.clone())),
            Version::Mended => Executor::new(TimerPark::new(Parker::new(), timers.clone())),
        };
        enter(&timers, || executor.block_on(program()))?;
        println!("The sleeper was woken by its deadline.");
        Ok(())
    })
}
