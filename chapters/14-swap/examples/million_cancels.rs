//! A million questions, one after the other, each with a timeout of one minute. All are answered at once,
//! and the timeouts are taken back.
//!
//! A heap finds its top, and nothing else. So the failing queue only makes a note that a deadline is not
//! waited for any more, and throws the entry away when it comes to the top. Predict: how many entries
//! are in the heap when the last answer is there?
//!
//! `cargo run -p ch14-swap --example million_cancels`
//! `cargo run -p ch14-swap --example million_cancels -- mended`

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::process::ExitCode;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use ch14_swap::Wheel;
use conformance::demo::{self, Version};
use rustc_hash::FxHashMap;

// ANCHOR: fault
/// A heap whose dead entries go when their time has come.
#[derive(Debug, Default)]
struct LazyHeap {
    heap: BinaryHeap<Reverse<Key>>,
    wakers: FxHashMap<u64, Waker>,
}

impl Deadlines for LazyHeap {
    fn insert(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        let replaced = self.wakers.insert(key.id, waker);
        if replaced.is_none() {
            self.heap.push(Reverse(key));
        }
        replaced
    }

    fn remove(&mut self, key: Key) -> Option<Waker> {
        // The entry stays: it is somewhere in the heap.
        self.wakers.remove(&key.id)
    }
    // ANCHOR_END: fault

    fn next_deadline(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(key)| key.deadline)
    }

    fn pop_until(&mut self, now: Instant) -> Option<(Key, Waker)> {
        while self.next_deadline()? <= now {
            let Reverse(key) = self.heap.pop()?;
            if let Some(waker) = self.wakers.remove(&key.id) {
                return Some((key, waker));
            }
        }
        None
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

// ANCHOR: program
fn program(mut deadlines: impl Deadlines) -> Result<(), String> {
    let in_a_minute = Instant::now() + Duration::from_secs(60);
    for id in 0..1_000_000 {
        let timeout = Key { deadline: in_a_minute, id };
        deadlines.insert(timeout, Waker::noop().clone());
        // Here comes the answer.
        deadlines.remove(timeout);
    }
    println!("I have asked a million times, and had a million answers.");
    println!("Now I wait for nothing any more.");
    match deadlines.len() {
        0 => Ok(()),
        entries => Err(format!("And yet {entries} entries are kept, for a minute each.")),
    }
}
// ANCHOR_END: program

fn main() -> ExitCode {
    demo::run(|version| {
        match version {
            Version::Failing => program(LazyHeap::default())?,
            Version::Mended => program(Wheel::new(Instant::now()))?,
        }
        println!("No entry is kept.");
        Ok(())
    })
}
