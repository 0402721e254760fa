//! A future that returns `Pending` and keeps no waker.
//!
//! A worker thread computes an answer and puts it where the future looks for it. The first poll
//! comes before the answer. Predict: who calls `poll` a second time, and why?
//!
//! `cargo run -p ch03-block-on --example forgotten_waker`
//! `cargo run -p ch03-block-on --example forgotten_waker -- mended`

use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use ch03_block_on::block_on;
use conformance::demo::{self, Version};

#[derive(Default)]
struct Desk {
    answer: Option<u32>,
    waker: Option<Waker>,
}

struct Answer {
    desk: Arc<Mutex<Desk>>,
    polls: usize,
    version: Version,
}

// ANCHOR: poll
impl Future for Answer {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        self.polls += 1;
        let mut desk = self.desk.lock().expect("nobody panics at the desk");
        if let Some(answer) = desk.answer {
            println!("poll {}: the answer is there. Ready.", self.polls);
            return Poll::Ready(answer);
        }
        println!("poll {}: no answer on the desk. Pending.", self.polls);
        if self.version == Version::Mended {
            desk.waker = Some(context.waker().clone());
        }
        if self.polls == 1 {
            let desk = self.desk.clone();
            thread::spawn(move || work(&desk));
        }
        Poll::Pending
    }
}
// ANCHOR_END: poll

// ANCHOR: work
fn work(desk: &Mutex<Desk>) {
    let mut desk = desk.lock().expect("nobody panics at the desk");
    desk.answer = Some(42);
    let waker = desk.waker.take();
    drop(desk);
    match waker {
        Some(waker) => {
            println!("worker: the answer is on the desk. I call the waker that lies there.");
            waker.wake();
        }
        None => println!("worker: the answer is on the desk. No waker lies there. I go home."),
    }
}
// ANCHOR_END: work

fn main() -> ExitCode {
    demo::run(|version| {
        let answer = block_on(Answer { desk: Arc::default(), polls: 0, version });
        println!("block_on returned {answer}.");
        Ok(())
    })
}
