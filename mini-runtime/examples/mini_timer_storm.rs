//! A hundred thousand sleeps at once, and how late they end:
//! `cargo run --release -q -p mini-runtime --example mini_timer_storm`. Another number can be given.

use std::cell::RefCell;
use std::env;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use mini_runtime::Runtime;
use mini_runtime::task::JoinSet;
use mini_runtime::time::{Instant, sleep_until};

/// The sleeps are spread over this time.
const SPREAD: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = match arguments.as_slice() {
        [] => Some(100_000),
        [number] => number.parse().ok().filter(|number| *number > 0),
        _ => None,
    };
    let Some(number) = number else {
        eprintln!("usage: mini_timer_storm [NUMBER OF SLEEPS]");
        return ExitCode::from(2);
    };
    match run(number) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mini_timer_storm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(number: u32) -> io::Result<()> {
    let runtime = Runtime::new()?;
    let mut late = runtime.block_on(async {
        let late = Rc::new(RefCell::new(Vec::with_capacity(number as usize)));
        let mut sleeps = JoinSet::new();
        // So late that all of them are asleep before the first one wakes.
        let start = Instant::now() + Duration::from_millis(500);
        for turn in 0..number {
            let late = late.clone();
            // In no order, and no two at the same time: a step that has no factor in common with the number.
            let place = u64::from(turn) * 1_000_003 % u64::from(number);
            let deadline = start + SPREAD.mul_f64(place as f64 / f64::from(number));
            sleeps.spawn(async move {
                sleep_until(deadline).await;
                late.borrow_mut().push(Instant::now().duration_since(deadline));
            });
        }
        while let Some(woken) = sleeps.join_next().await {
            woken.expect("a sleep does not panic");
        }
        late.take()
    });
    late.sort();
    let at = |share: f64| late[(share * (late.len() - 1) as f64) as usize];
    println!("{number} sleeps on {}, late by", runtime.driver());
    println!("  half of them at most {:?}", at(0.5));
    println!("  99 of 100 at most    {:?}", at(0.99));
    println!("  all of them at most  {:?}", at(1.0));
    Ok(())
}
