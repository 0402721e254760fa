//! Four reports are made at once, on a pool of four threads. Each needs a number, and gets it by an async
//! function of a library. Nobody has looked how that function does it.
//!
//! Predict: how many threads are busy? How many of them get anything done?
//!
//! Run `cargo run -p ch11-threads --example pool_of_pool`, and then with `-- mended`: the reports are
//! tasks.

use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Barrier};

use ch10_join_cancel::JoinError;
use ch11_threads::{Config, Handle, PoolConfig, Runtime, spawn_blocking};
use conformance::demo::{self, Version};
use futures::future::Either;

const THREADS: usize = 4;

// ANCHOR: sales
/// The library's: it asks an old client, which blocks, and so it asks on a thread of the pool.
async fn sales(quarter: usize) -> Result<usize, JoinError> {
    spawn_blocking(move || quarter * 100).await
}
// ANCHOR_END: sales

// ANCHOR: reports
async fn reports(version: Version) -> Result<(), JoinError> {
    println!("{THREADS} reports are to be made.");
    let together = Arc::new(Barrier::new(THREADS));
    let report = |quarter| match version {
        Version::Failing => {
            let (handle, together) = (Handle::current(), together.clone());
            Either::Left(spawn_blocking(move || {
                if together.wait().is_leader() {
                    println!("{THREADS} reports have begun, on all {THREADS} threads of the pool.");
                }
                handle.block_on(move || sales(quarter))?
            }))
        }
        Version::Mended => Either::Right(ch10_join_cancel::spawn(sales(quarter))),
    };
    let reports: Vec<_> = (1..=THREADS).map(report).collect();
    for (quarter, report) in (1..).zip(reports) {
        println!("Quarter {quarter}: {}.", report.await??);
    }
    Ok(())
}
// ANCHOR_END: reports

fn main() -> ExitCode {
    demo::run(|version| {
        let blocking = PoolConfig { max_threads: THREADS, ..PoolConfig::default() };
        let runtime = Runtime::new(Config { blocking, ..Config::default() })?;
        runtime.block_on(reports(version))?;
        Ok::<(), Box<dyn Error>>(())
    })
}
