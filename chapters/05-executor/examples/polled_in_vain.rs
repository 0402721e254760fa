//! A task that reads letters, and another that posts five of them. Each letter calls the reader's
//! waker.
//!
//! The reader takes all letters that it finds. So one poll is enough. Predict: how often does the
//! first draft of the executor poll it, and what does the reader find each time?
//!
//! `cargo run -p ch05-executor --example polled_in_vain`
//! `cargo run -p ch05-executor --example polled_in_vain -- mended`

mod first_draft;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Poll, Waker};

use ch03_block_on::{Parker, signal};
use ch05_executor::{Executor, spawn};
use conformance::demo::{self, Version};

// ANCHOR: letterbox
#[derive(Default)]
struct Letterbox {
    letters: Cell<usize>,
    reader: RefCell<Option<Waker>>,
    polls_in_vain: Cell<usize>,
}

impl Letterbox {
    fn post(&self) {
        self.letters.set(self.letters.get() + 1);
        let reader = self.reader.borrow().clone();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    async fn read_for_ever(self: Rc<Self>) {
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            let letters = self.letters.take();
            println!("reader, poll {polls}: {letters} letters.");
            if letters == 0 && polls > 1 {
                self.polls_in_vain.set(self.polls_in_vain.get() + 1);
            }
            self.reader.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}
// ANCHOR_END: letterbox

// ANCHOR: program
async fn program() -> Result<(), String> {
    let letterbox = Rc::new(Letterbox::default());
    spawn(letterbox.clone().read_for_ever());

    let (setter, posted) = signal();
    let postbox = letterbox.clone();
    spawn(async move {
        for _ in 0..5 {
            postbox.post();
        }
        println!("postman: 5 letters are in the box. I called the reader's waker 5 times.");
        setter.set(());
    });
    posted.await;

    match letterbox.polls_in_vain.get() {
        0 => Ok(()),
        polls => Err(format!("The reader was polled in vain, {polls} times.")),
    }
}
// ANCHOR_END: program

fn main() -> ExitCode {
    demo::run(|version| {
        let park = Parker::new();
        match version {
            Version::Failing => first_draft::block_on(park, program())?,
            Version::Mended => Executor::new(park).block_on(program())?,
        }
        println!("block_on returned.");
        Ok(())
    })
}
