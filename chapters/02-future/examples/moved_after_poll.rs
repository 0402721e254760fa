//! A small executor keeps its tasks in a `Vec`. Each task borrows from itself across an `.await`.
//! The first task is cancelled, and removed from the `Vec`.
//!
//! The tasks are `SelfBorrow`s: in the place of a reference they keep an address, as a number, and
//! compare it. Predict: what does the second task find at its next poll? And what would a
//! reference have found?
//!
//! ```text
//! cargo run -p ch02-future --example moved_after_poll
//! cargo run -p ch02-future --example moved_after_poll -- mended
//! ```

use std::error::Error;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Poll, Waker};

use ch02_future::{Moved, SelfBorrow, poll_once};
use conformance::demo::{self, Version};

fn run<F>(mut tasks: Vec<F>) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = Result<u32, Moved>> + Unpin,
{
    for task in &mut tasks {
        let _pending = poll_once(Pin::new(task), Waker::noop());
    }
    println!("Both tasks have been polled: each has borrowed its own number.");

    drop(tasks.remove(0));
    println!("The first is removed: the second moves up to its place in the Vec.");

    match poll_once(Pin::new(&mut tasks[0]), Waker::noop()) {
        Poll::Ready(read) => println!("The second has read its number: {}.", read?),
        Poll::Pending => println!("The second still waits."),
    }
    Ok(())
}

fn main() -> ExitCode {
    // ANCHOR: difference
    demo::run(|version| match version {
        Version::Failing => run(vec![SelfBorrow::new(1), SelfBorrow::new(2)]),
        Version::Mended => run(vec![Box::pin(SelfBorrow::new(1)), Box::pin(SelfBorrow::new(2))]),
    })
    // ANCHOR_END: difference
}
