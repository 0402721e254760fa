//! A guest orders a coffee, and waits a second for it. To make it takes two. After a second the guest
//! leaves: `timeout` drops what it has waited for, and that is the handle of a task.
//!
//! Predict: is the coffee made?
//!
//! Run `cargo run -p ch10-join-cancel --example dropped_handle`, and then with `-- mended`. (The clock is
//! a virtual one.)

use std::cell::Cell;
use std::error::Error;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use ch08_timers::{Clock, sleep, timeout};
use ch09_fairness::{Config, Runtime};
use ch10_join_cancel::{AbortOnDrop, spawn};
use conformance::demo::{self, Version};

fn main() -> ExitCode {
    demo::run(|version| {
        let runtime = Runtime::with_clock(Config::default(), Clock::virtual_now())?;
        runtime.block_on(cafe(version))
    })
}

/// Says so when it is dropped.
struct Cup;

impl Drop for Cup {
    fn drop(&mut self) {
        println!("barista: the cup is put away.");
    }
}

// ANCHOR: cafe
async fn cafe(version: Version) -> Result<(), Box<dyn Error>> {
    let made = Rc::new(Cell::new(false));
    let seen = made.clone();
    let coffee = async move {
        let _cup = Cup;
        println!("barista: I grind the beans.");
        sleep(Duration::from_secs(2)).await;
        println!("barista: here is your coffee.");
        seen.set(true);
    };

    let second = Duration::from_secs(1);
    let got_it = match version {
        Version::Failing => timeout(second, spawn(coffee)).await.is_ok(),
        Version::Mended => timeout(second, AbortOnDrop(spawn(coffee))).await.is_ok(),
    };
    if !got_it {
        println!("guest: too late, I am off.");
    }
    sleep(Duration::from_secs(10)).await;
    if made.get() && !got_it {
        return Err("A coffee was made, and nobody is there to drink it.".into());
    }
    Ok(())
}
// ANCHOR_END: cafe
