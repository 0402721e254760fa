//! One task, two futures. The first takes a lock and holds it over an `await`. The second gets
//! impatient, and after a while wants the same lock. Both futures are sound, and nobody holds the lock
//! for ever.
//!
//! Predict: does the program end?
//!
//! Run `cargo run -p ch10-join-cancel --example futurelock`, and then with `-- mended`. (The clock is
//! a virtual one.)

use std::error::Error;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use ch08_timers::{Clock, sleep};
use ch09_fairness::{Config, Runtime};
use conformance::demo::{self, Version};
use futures::future::{Either, join, select};
use futures::lock::Mutex;

fn main() -> ExitCode {
    demo::run(|version| {
        let runtime = Runtime::with_clock(Config::default(), Clock::virtual_now())?;
        runtime.block_on(both(version));
        Ok::<(), Box<dyn Error>>(())
    })
}

// ANCHOR: futures
async fn slow(account: &Mutex<u32>) {
    let mut balance = account.lock().await;
    println!("slow: I have the lock, and keep it for 20 ms.");
    sleep(Duration::from_millis(20)).await;
    *balance += 1;
    println!("slow: I am done, and let it go.");
}

async fn quick(account: &Mutex<u32>) {
    println!("quick: I want the lock.");
    *account.lock().await += 1;
    println!("quick: I had the lock.");
}
// ANCHOR_END: futures

// ANCHOR: both
async fn both(version: Version) {
    let account = Mutex::new(0);
    let mut slow = pin!(slow(&account));
    match select(slow.as_mut(), pin!(sleep(Duration::from_millis(5)))).await {
        Either::Left(_) => println!("The slow one was quick today."),
        Either::Right(_) => match version {
            // `slow` is still there, and nobody polls it.
            Version::Failing => quick(&account).await,
            Version::Mended => _ = join(slow, quick(&account)).await,
        },
    }
    println!("Both had their turn.");
}
// ANCHOR_END: both
