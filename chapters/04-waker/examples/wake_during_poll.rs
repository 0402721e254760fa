//! A run queue that notes which task it holds already, and clears the note too late.
//!
//! To queue a task only once, the scheduler keeps a flag: `queued`. The task yields: while it is
//! being polled, it wakes itself and returns `Pending`.
//!
//! Predict: the flag is cleared after the poll. What does the wake find, and who polls the task the
//! second time?
//!
//! - `cargo run -p ch04-waker --example wake_during_poll`: nobody; the task sleeps for ever.
//! - `cargo run -p ch04-waker --example wake_during_poll -- mended`: the flag is cleared before.

use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;

use ch04_waker::{Schedule, Task, TaskQueue};
use conformance::demo::{self, Version};
use conformance::yield_now;

fn main() -> ExitCode {
    demo::run(body)
}

// ANCHOR: scheduler
/// A queue for one task, which it holds at most once.
#[derive(Default)]
struct OnlyOnce {
    queue: TaskQueue,
    queued: Cell<bool>,
}

impl Schedule for OnlyOnce {
    fn schedule(&self, task: Rc<Task>) {
        if self.queued.replace(true) {
            println!("  schedule: the task is marked as queued, nothing to do.");
            return;
        }
        println!("  schedule: the task goes into the queue.");
        self.queue.push(task);
    }
}

impl OnlyOnce {
    fn run(&self, version: Version) {
        while let Some(task) = self.queue.pop() {
            if version == Version::Mended {
                self.queued.set(false);
            }
            println!("The poll begins.");
            let _ = task.poll();
            println!("The poll is over.");
            if version == Version::Failing {
                // The fault: a wake during the poll has found the flag still set.
                self.queued.set(false);
            }
        }
    }
}
// ANCHOR_END: scheduler

fn body(version: Version) -> Result<(), Box<dyn Error>> {
    let scheduler = Rc::new(OnlyOnce::default());
    let done = Rc::new(Cell::new(false));
    let finished = done.clone();
    let future = async move {
        println!("  task: first half, then I wake myself and return Pending.");
        yield_now().await;
        println!("  task: second half.");
        finished.set(true);
    };
    let schedule = Rc::downgrade(&scheduler);
    let task = Task::new(1, Box::pin(future).into(), schedule);

    println!("The task is new.");
    scheduler.schedule(task.clone());
    scheduler.run(version);
    println!("The queue is empty.");

    if done.get() {
        return Ok(());
    }
    Err("The task is not done, and it is not queued: it sleeps for ever.\n\
         Its wake came during the poll, found the flag still set, and was swallowed."
        .into())
}
