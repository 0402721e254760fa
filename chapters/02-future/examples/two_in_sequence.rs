//! Coffee takes 3 minutes, toast takes 3 minutes, and neither needs you while it runs.
//!
//! Each `Pending` of a countdown is one minute that passes. Predict: after how many minutes is
//! breakfast ready, with one `.await` after the other?
//!
//! ```text
//! cargo run -p ch02-future --example two_in_sequence
//! cargo run -p ch02-future --example two_in_sequence -- mended
//! ```

use std::pin::pin;
use std::process::ExitCode;
use std::task::Waker;

use ch02_future::{countdown, join, poll_once};
use conformance::demo::{self, Version};

async fn make(what: &str, minutes: u32) {
    println!("          {what}: started");
    countdown(minutes).await;
    println!("          {what}: done");
}

/// Polls once a minute, until it is ready.
fn minutes_for(breakfast: impl Future) -> u32 {
    let mut breakfast = pin!(breakfast);
    let mut minute = 0;
    loop {
        println!("minute {minute}:");
        if poll_once(breakfast.as_mut(), Waker::noop()).is_ready() {
            return minute;
        }
        minute += 1;
    }
}

fn main() -> ExitCode {
    demo::run(|version| {
        // ANCHOR: difference
        let coffee = make("coffee", 3);
        let toast = make("toast", 3);
        let minutes = match version {
            Version::Failing => minutes_for(async {
                coffee.await;
                toast.await;
            }),
            Version::Mended => minutes_for(join(coffee, toast)),
        };
        // ANCHOR_END: difference

        println!("Breakfast took {minutes} minutes.");
        if minutes > 3 {
            return Err("The toast was not started until the coffee was done.".into());
        }
        Ok(())
    })
}
