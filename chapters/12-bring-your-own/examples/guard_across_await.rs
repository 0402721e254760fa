//! Two tasks on one thread add to one total, and ask somebody how much to add. Both take the lock,
//! which is the standard library's. The compiler says nothing: on a runtime that keeps its tasks on
//! their thread, a future need not be `Send`. (Clippy would have warned.)
//!
//! Predict: what is the total?
//!
//! `cargo run -p ch12-bring-your-own --example guard_across_await`
//! `cargo run -p ch12-bring-your-own --example guard_across_await -- mended`

use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ch08_timers::sleep;
use ch10_join_cancel::spawn;
use ch11_threads::{Config, Runtime};
use conformance::demo::{self, Version};

/// Takes a moment, as answers do.
async fn how_much() -> u32 {
    sleep(Duration::from_millis(1)).await;
    10
}

#[expect(clippy::await_holding_lock, reason = "this is the fault that is shown")]
// ANCHOR: add
async fn add(name: &str, total: Arc<Mutex<u32>>, version: Version) {
    println!("{name}: I want the lock.");
    match version {
        Version::Failing => {
            let mut guard = total.lock().expect("nobody panics");
            println!("{name}: I have it.");
            *guard += how_much().await;
        }
        Version::Mended => {
            let more = how_much().await;
            let mut guard = total.lock().expect("nobody panics");
            println!("{name}: I have it.");
            *guard += more;
        }
    }
    println!("{name}: I have let it go.");
}
// ANCHOR_END: add

fn main() -> ExitCode {
    demo::run(|version| {
        Runtime::new(Config::default())?.block_on(async {
            let total = Arc::new(Mutex::new(0));
            let one = spawn(add("one", total.clone(), version));
            let two = spawn(add("two", total.clone(), version));
            one.await?;
            two.await?;
            println!("The total is {}.", total.lock().expect("nobody panics"));
            Ok::<(), Box<dyn Error>>(())
        })
    })
}
