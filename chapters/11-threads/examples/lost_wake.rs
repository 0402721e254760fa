//! A thread reads its inbox, and sleeps when it is empty. Another thread leaves a message. To unpark
//! the reader is a system call, so it saves that if the reader does not sleep.
//!
//! A thread may run at any moment; here we make the sender run in the worst one, every time. Predict:
//! when is that?
//!
//! Run `cargo run -p ch11-threads --example lost_wake`, and then with `-- mended`: the same reader, and
//! this chapter's inbox.

use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;
use std::thread;

use ch03_block_on::Parker;
use ch11_threads::Inbox;
use conformance::demo::{self, Version};
use trace::{Event, emit};

// ANCHOR: pushes
/// An inbox that saves unparks. Wrong.
struct Thrifty {
    messages: Mutex<Vec<&'static str>>,
    /// Says whether the reader sleeps.
    sleeps: AtomicBool,
    unparker: Waker,
}

impl Mailbox for Thrifty {
    fn push(&self, message: &'static str) {
        let mut messages = self.messages();
        emit!(Event::InboxPush { first: messages.is_empty() });
        messages.push(message);
        drop(messages);
        println!("sender: the message is there.");
        if self.sleeps.load(SeqCst) {
            println!("sender: the reader sleeps. I unpark it.");
            self.unparker.wake_by_ref();
        } else {
            println!("sender: the flag says that the reader is awake. I need not unpark it.");
        }
    }

    fn take_all(&self) -> Vec<&'static str> {
        let mut messages = self.messages();
        emit!(Event::InboxTake { count: messages.len() });
        std::mem::take(&mut messages)
    }

    fn set_sleeps(&self, sleeps: bool) {
        self.sleeps.store(sleeps, SeqCst);
    }
}

impl Mailbox for Inbox<&'static str> {
    fn push(&self, message: &'static str) {
        Inbox::push(self, message).expect("nobody has closed it");
        println!("sender: the message is there. I unpark the reader, whatever it does.");
    }

    fn take_all(&self) -> Vec<&'static str> {
        Inbox::take_all(self)
    }
}
// ANCHOR_END: pushes

trait Mailbox: Sync {
    fn push(&self, message: &'static str);
    fn take_all(&self) -> Vec<&'static str>;
    /// This chapter's inbox does not want to know.
    fn set_sleeps(&self, _sleeps: bool) {}
}

impl Thrifty {
    fn messages(&self) -> MutexGuard<'_, Vec<&'static str>> {
        self.messages.lock().expect("nobody panics here")
    }
}

// ANCHOR: read
fn read(mailbox: &impl Mailbox, parker: &Parker) {
    let mut sender = Some(|| mailbox.push("It rains."));
    loop {
        if let Some(message) = mailbox.take_all().pop() {
            println!("reader: I have a message: {message}");
            return;
        }
        println!("reader: I look, and the inbox is empty.");
        the_other_thread_runs(&mut sender);
        mailbox.set_sleeps(true);
        println!("reader: I go to sleep.");
        emit!(Event::Park { timeout: None });
        parker.park(None);
        emit!(Event::Unpark);
        mailbox.set_sleeps(false);
        println!("reader: somebody has unparked me.");
    }
}
// ANCHOR_END: read

/// Gives the other thread the processor, until it has done all it has to do.
fn the_other_thread_runs(sender: &mut Option<impl FnOnce() + Send>) {
    if let Some(sender) = sender.take() {
        thread::scope(|scope| {
            scope.spawn(sender);
        });
    }
}

fn main() -> ExitCode {
    demo::run(|version| {
        let parker = Parker::new();
        let unparker = parker.unparker();
        match version {
            Version::Failing => {
                let (messages, sleeps) = (Mutex::default(), AtomicBool::default());
                read(&Thrifty { messages, sleeps, unparker }, &parker);
            }
            Version::Mended => read(&Inbox::new(unparker), &parker),
        }
        Ok::<(), Box<dyn Error>>(())
    })
}
