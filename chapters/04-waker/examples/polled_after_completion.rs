//! A task that cannot tell whether its future has ended. (Fault S2.)
//!
//! The future asks to be polled again twice, by two wakes, and is done in the next poll.
//!
//! Predict: the task stands in the queue twice. What does the second of these polls do?
//!
//! - `cargo run -p ch04-waker --example polled_after_completion`: polls a future that is done, and
//!   panics.
//! - `cargo run -p ch04-waker --example polled_after_completion -- mended`: chapter 4's task.

use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use ch04_waker::{Task, TaskQueue};
use conformance::demo::{self, Version};
use trace::{Cause, Event, PollResult, emit};

fn main() -> ExitCode {
    demo::run(body)
}

fn body(version: Version) -> Result<(), Box<dyn Error>> {
    match version {
        Version::Failing => run_bare(work()),
        Version::Mended => run_mended(work()),
    }
    println!("The queue is empty.");
    Ok(())
}

// ANCHOR: work
async fn work() {
    let mut woken = false;
    poll_fn(|context| {
        if woken {
            println!("  future: done");
            return Poll::Ready(());
        }
        woken = true;
        println!("  future: two wakes, and not done yet");
        context.waker().wake_by_ref();
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
// ANCHOR_END: work

// ANCHOR: bare
/// A task as one would write it first: the future is always there.
struct Bare {
    future: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
    queue: Queue,
}

type Queue = Arc<Mutex<VecDeque<Arc<Bare>>>>;

impl Wake for Bare {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        emit!(Event::Wake { task: 1, by: Cause::Outside });
        emit!(Event::Enqueue { task: 1 });
        queue.lock().expect(WHOLE).push_back(self);
    }
}

fn run_bare(future: impl Future<Output = ()> + Send + 'static) {
    let queue = Queue::default();
    emit!(Event::Spawn { task: 1 });
    let first = Arc::new(Bare { future: Mutex::new(Box::pin(future)), queue: queue.clone() });
    first.wake();
    while let Some(task) = pop(&queue) {
        println!("The task was taken from the queue.");
        let waker = Waker::from(task.clone());
        let mut future = task.future.lock().expect(WHOLE);
        emit!(Event::PollStart { task: 1 });
        let _cause = trace::caused_by(Cause::Task(1));
        // The fault: nobody looks whether the future has ended.
        let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
        let result = if poll.is_ready() { PollResult::Ready } else { PollResult::Pending };
        emit!(Event::PollEnd { task: 1, result, wakers: 0 });
        println!("  poll: {poll:?}");
    }
}
// ANCHOR_END: bare

// ANCHOR: mended
fn run_mended(future: impl Future<Output = ()> + 'static) {
    let queue = Rc::new(TaskQueue::default());
    let schedule = Rc::downgrade(&queue);
    queue.push(Task::new(1, Box::pin(future).into(), schedule));
    while let Some(task) = queue.pop() {
        println!("The task was taken from the queue.");
        let poll = task.poll();
        println!("  poll: {poll:?}");
    }
}
// ANCHOR_END: mended

fn pop(queue: &Queue) -> Option<Arc<Bare>> {
    queue.lock().expect(WHOLE).pop_front()
}

const WHOLE: &str = "this demo has one thread";
