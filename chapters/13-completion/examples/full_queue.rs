//! Twelve operations go into a submission queue that has room for eight. Each of them does nothing, and
//! is completed at once.
//!
//! Predict: how many completions come? And what does the program do then?
//!
//! Run `cargo run -p ch13-completion --example full_queue`, and then with `-- mended`.

use std::error::Error;
use std::process::ExitCode;

use ch13_completion::open;
use conformance::demo::{self, Version};
use io_uring::{IoUring, opcode};
use trace::{Event, emit};

const ROOM: u32 = 8;
const OPERATIONS: u64 = 12;

fn main() -> ExitCode {
    demo::run(twelve)
}

// ANCHOR: twelve
fn twelve(version: Version) -> Result<(), Box<dyn Error>> {
    let mut ring = open(&IoUring::builder(), ROOM)?;
    for number in 1..=OPERATIONS {
        let nop = opcode::Nop::new().build().user_data(number);
        match version {
            // A queue that is full says so, and nobody listens.
            // SAFETY: the entry points to nothing.
            Version::Failing => _ = unsafe { ring.submission().push(&nop) },
            Version::Mended => {
                // SAFETY: as above.
                while unsafe { ring.submission().push(&nop) }.is_err() {
                    println!("The queue is full. The kernel takes what is in it.");
                    ring.submit()?;
                }
            }
        }
    }
    println!("{OPERATIONS} operations are on their way.");

    let mut completed = 0;
    while completed < OPERATIONS {
        emit!(Event::Park { timeout: None });
        ring.submit_and_wait(1)?;
        emit!(Event::Unpark);
        completed += ring.completion().count() as u64;
        println!("{completed} of them are completed.");
    }
    Ok(())
}
// ANCHOR_END: twelve
