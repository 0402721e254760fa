//! A task that shows a sign of life every 5 ms, and one that reads 20 rows with a client that blocks:
//! each row takes 2 ms.
//!
//! Predict: how often does the heart beat while the rows are read? And who will be blamed?
//!
//! `cargo run -p ch09-fairness --example blocked_heartbeat`
//! `cargo run -p ch09-fairness --example blocked_heartbeat -- mended`

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use ch08_timers::{MissedTickBehavior, interval};
use ch09_fairness::{Config, Runtime, spawn, yield_now};
use conformance::demo::{self, Version};
use futures::channel::oneshot;

async fn beat(beats: Rc<Cell<u32>>) {
    let mut interval = interval(Duration::from_millis(5));
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        interval.tick().await;
        beats.set(beats.get() + 1);
    }
}

/// A client that knows nothing of futures.
fn read_row() {
    thread::sleep(Duration::from_millis(2));
}

// ANCHOR: rows
async fn read_rows(version: Version) {
    for _ in 0..20 {
        read_row();
        if version == Version::Mended {
            yield_now().await;
        }
    }
}
// ANCHOR_END: rows

fn main() -> ExitCode {
    demo::run(|version| {
        // ANCHOR: config
        let config = Config {
            // A strict limit is 100 µs. This one forgives a single row.
            slow_poll: Duration::from_millis(30),
            report: Box::new(|slow| println!("detector: {slow}")),
            ..Config::default()
        };
        // ANCHOR_END: config
        let beats = Runtime::new(config)?.block_on(async {
            let beats = Rc::new(Cell::new(0));
            spawn(beat(beats.clone()));
            yield_now().await;

            let (tell, told) = oneshot::channel();
            spawn(async move {
                let before = beats.get();
                read_rows(version).await;
                println!("reader: I have read 20 rows.");
                tell.send(beats.get() - before).expect("the main future waits");
            });
            told.await
        })?;
        match beats {
            0 => Err("The heart did not beat while the rows were read.".into()),
            _ => {
                println!("The heart beat while the rows were read.");
                Ok(())
            }
        }
    })
}
