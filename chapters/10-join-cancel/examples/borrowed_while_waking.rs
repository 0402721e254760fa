//! Guests wait for a bell. Each leaves its waker there, and takes it back when it goes: that is in its
//! `Drop`. The queue on which the guests ran is gone by the time the bell rings, and so each wake
//! finds nobody to hand the guest to.
//!
//! Predict: where do the guests' futures end? What is borrowed then?
//!
//! Run `cargo run -p ch10-join-cancel --example borrowed_while_waking`, and then with `-- mended`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ch04_waker::{Task, TaskQueue};
use conformance::demo::{self, Version};

fn main() -> ExitCode {
    demo::run(|version| {
        evening(version);
        Ok::<(), Box<dyn Error>>(())
    })
}

// ANCHOR: bell
#[derive(Default)]
struct Bell {
    waiting: RefCell<BTreeMap<u64, Waker>>,
}

impl Bell {
    fn ring(&self, version: Version) {
        match version {
            Version::Failing => {
                let mut waiting = self.waiting.borrow_mut();
                while let Some((_, waker)) = waiting.pop_first() {
                    waker.wake();
                }
            }
            Version::Mended => {
                let waiting = self.waiting.take();
                waiting.into_values().for_each(Waker::wake);
            }
        }
    }
}

struct Guest {
    number: u64,
    bell: Rc<Bell>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        println!("guest {}: I go, and take my waker with me.", self.number);
        let waker = self.bell.waiting.borrow_mut().remove(&self.number);
        drop(waker);
    }
}
// ANCHOR_END: bell

impl Future for Guest {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.bell.waiting.borrow_mut().insert(self.number, cx.waker().clone());
        Poll::Pending
    }
}

// ANCHOR: evening
fn evening(version: Version) {
    let bell = Rc::new(Bell::default());
    let queue = Rc::new(TaskQueue::default());
    for number in 1..=2 {
        let guest = Box::pin(Guest { number, bell: bell.clone() });
        let schedule = Rc::downgrade(&queue);
        queue.push(Task::new(number, guest.into(), schedule));
    }
    queue.run();
    println!("Two guests wait for the bell. Only their wakers know of them.");
    drop(queue);
    println!("The bell rings.");
    bell.ring(version);
    println!("Good night.");
}
// ANCHOR_END: evening
