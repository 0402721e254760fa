//! A thousand questions, each with a timeout of one minute. Each answer comes after three polls in
//! vain, long before the minute is over.
//!
//! The failing sleep adds a deadline to the map at every poll, and never takes one out. Predict:
//! how many deadlines are in the map when the last answer has come?
//!
//! `cargo run -p ch08-timers --example duplicate_entries`
//! `cargo run -p ch08-timers --example duplicate_entries -- mended`

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ch08_timers::{Runtime, Timers, sleep_until};
use conformance::demo::{self, Version};
use futures::future::{Either, select};

// ANCHOR: fault
/// A sleep that knows its deadline, and does not remember what it has left with the timers.
struct Piling {
    deadline: Instant,
}

impl Future for Piling {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut entry = sleep_until(self.deadline);
        let poll = Pin::new(&mut entry).poll(cx);
        // Never dropped, so its deadline stays.
        mem::forget(entry);
        poll
    }
}
// ANCHOR_END: fault

/// Is ready at the fourth poll.
async fn answer() {
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        if polls == 4 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

// ANCHOR: program
async fn program<S: Future<Output = ()> + Unpin>(
    sleep_until: impl Fn(Instant) -> S,
) -> Result<(), String> {
    for _ in 0..1_000 {
        let in_a_minute = Instant::now() + Duration::from_secs(60);
        match select(pin!(answer()), sleep_until(in_a_minute)).await {
            Either::Left(_) => {}
            Either::Right(_) => return Err("A minute was not enough for an answer.".into()),
        }
    }
    println!("I have asked 1000 times, and had 1000 answers. No timeout was needed.");
    println!("Now I wait for nothing any more.");
    match Timers::current().len() {
        0 => Ok(()),
        entries => Err(format!("And yet {entries} deadlines are kept, each with a waker of mine.")),
    }
}
// ANCHOR_END: program

fn main() -> ExitCode {
    demo::run(|version| {
        let runtime = Runtime::new()?;
        match version {
            Version::Failing => runtime.block_on(program(|deadline| Piling { deadline }))?,
            Version::Mended => runtime.block_on(program(sleep_until))?,
        }
        println!("No deadline is kept.");
        Ok(())
    })
}
