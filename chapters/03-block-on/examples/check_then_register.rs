//! A future that looks at a flag first, and leaves its waker second.
//!
//! Another thread raises the flag. A thread may run at any moment; here we make it run in the worst
//! one, every time. Predict: where is the worst moment? And if the waker was left, how can the wake
//! be lost?
//!
//! `cargo run -p ch03-block-on --example check_then_register`
//! `cargo run -p ch03-block-on --example check_then_register -- mended`

use std::future::poll_fn;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};
use std::thread;

use ch03_block_on::block_on;
use conformance::demo::{self, Version};

// ANCHOR: polls
fn look_then_leave_waker(flag: &Flag, context: &mut Context<'_>) -> Poll<()> {
    if flag.is_up() {
        return Poll::Ready(());
    }
    the_other_thread_runs(flag);
    flag.leave_waker(context.waker());
    Poll::Pending
}

fn leave_waker_then_look(flag: &Flag, context: &mut Context<'_>) -> Poll<()> {
    flag.leave_waker(context.waker());
    the_other_thread_runs(flag);
    if flag.is_up() {
        return Poll::Ready(());
    }
    Poll::Pending
}
// ANCHOR_END: polls

#[derive(Default)]
struct Flag {
    up: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    fn is_up(&self) -> bool {
        let up = self.up.load(SeqCst);
        let what = if up { "up" } else { "down" };
        println!("future: I look, and the flag is {what}.");
        up
    }

    fn leave_waker(&self, waker: &Waker) {
        println!("future: I leave my waker.");
        *self.waker.lock().expect("nobody panics here") = Some(waker.clone());
    }

    // ANCHOR: raise
    fn raise(&self) {
        self.up.store(true, SeqCst);
        println!("setter: the flag is up now.");
        let waker = self.waker.lock().expect("nobody panics here").take();
        match waker {
            Some(waker) => {
                println!("setter: there is a waker. I call it.");
                waker.wake();
            }
            None => println!("setter: there is no waker. I am done."),
        }
    }
    // ANCHOR_END: raise
}

/// Gives the other thread the processor, until it has done all it has to do.
fn the_other_thread_runs(flag: &Flag) {
    thread::scope(|scope| {
        scope.spawn(|| flag.raise());
    });
}

fn main() -> ExitCode {
    demo::run(|version| {
        let poll = match version {
            Version::Failing => look_then_leave_waker,
            Version::Mended => leave_waker_then_look,
        };
        let flag = Flag::default();
        block_on(poll_fn(|context| poll(&flag, context)));
        println!("block_on returned.");
        Ok(())
    })
}
