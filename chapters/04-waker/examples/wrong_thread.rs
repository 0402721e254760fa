//! Fault S4. A waker that is used on another thread.
//!
//! A task waits for an answer, and another thread finds it. `Waker` is `Send`, so the compiler lets
//! us give that thread the waker of our task. But the task is in an `Rc`.
//!
//! Predict: what should `wake` do over there?
//!
//! - `cargo run -p ch04-waker --example wrong_thread`: it ends the process, with a sentence.
//! - `cargo run -p ch04-waker --example wrong_thread -- mended`: the other thread sends a message,
//!   and the task's own thread wakes.

use std::cell::Cell;
use std::error::Error;
use std::future::poll_fn;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::thread;

use ch04_waker::{Task, TaskQueue};
use conformance::demo::{self, Version};

fn main() -> ExitCode {
    demo::run(body)
}

fn body(version: Version) -> Result<(), Box<dyn Error>> {
    let answer = Arc::new(OnceLock::new());
    let slot: Rc<Cell<Option<Waker>>> = Rc::default();

    let queue = Rc::new(TaskQueue::default());
    let schedule = Rc::downgrade(&queue);
    let future = wait_for(answer.clone(), slot.clone());
    queue.push(Task::new(1, Box::pin(future).into(), schedule));
    queue.run();
    let waker = slot.take().ok_or("the task has left no waker")?;

    // ANCHOR: threads
    match version {
        Version::Failing => {
            let other = thread::spawn(move || {
                let _ = answer.set(42);
                println!("The other thread: I have the answer, and wake the task.");
                waker.wake();
            });
            other.join().map_err(|_| "the other thread panicked")?;
        }
        Version::Mended => {
            let (sender, receiver) = channel();
            thread::spawn(move || {
                let _ = answer.set(42);
                println!("The other thread: I have the answer, and send a message.");
                let _ = sender.send(());
            });
            receiver.recv()?;
            println!("The task's thread: I have the message, and wake the task.");
            waker.wake();
        }
    }
    // ANCHOR_END: threads
    queue.run();
    Ok(())
}

async fn wait_for(answer: Arc<OnceLock<u32>>, slot: Rc<Cell<Option<Waker>>>) {
    let answer = poll_fn(|context| match answer.get() {
        Some(answer) => Poll::Ready(*answer),
        None => {
            println!("The task: no answer yet. Here is my waker.");
            slot.set(Some(context.waker().clone()));
            Poll::Pending
        }
    })
    .await;
    println!("The task: the answer is {answer}.");
}
