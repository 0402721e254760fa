//! What a timer costs in chapter 8's map and in this chapter's wheel, with 10 to 1,000,000 others that
//! wait:
//! `cargo run --release -q -p ch14-swap --example timer_cost`. With `csv` behind that it prints commas
//! instead of columns.
//!
//! Time is virtual: nobody sleeps. Each number is the median of many rounds, in nanoseconds for one
//! timer.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use ch14_swap::Wheel;

const WAITING: [u64; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const ROUNDS: usize = 201;
/// How many timers are handled in a round.
const BATCH: usize = 500;

/// The same numbers on every run: `xorshift`.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// A time between two others.
    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        from + Duration::from_nanos(self.below((to - from).as_nanos() as usize) as u64)
    }
}

/// Deadlines on a virtual clock.
struct Bench {
    deadlines: Box<dyn Deadlines>,
    now: Instant,
    dice: Dice,
    made: u64,
    waiting: Vec<Key>,
}

impl Bench {
    fn key(&mut self, from: Duration, to: Duration) -> Key {
        self.made += 1;
        Key { deadline: self.now + self.dice.between(from, to), id: self.made }
    }

    /// Timeouts of half a minute to a minute. While this program measures, 21 virtual seconds pass, so
    /// that none of them comes.
    fn wait(&mut self, number: u64) {
        for _ in 0..number {
            let key = self.key(Duration::from_secs(30), Duration::from_secs(60));
            self.deadlines.insert(key, Waker::noop().clone());
            self.waiting.push(key);
        }
    }

    // ANCHOR: rounds
    /// Timeouts are set, and for each of them one of those that wait is taken back.
    fn set_and_cancel(&mut self) -> Duration {
        let changes: Vec<(Key, Key)> = (0..BATCH)
            .map(|_| {
                let new = self.key(Duration::from_secs(30), Duration::from_secs(60));
                let chosen = self.dice.below(self.waiting.len());
                (new, std::mem::replace(&mut self.waiting[chosen], new))
            })
            .collect();
        let began = Instant::now();
        for (new, old) in changes {
            self.deadlines.insert(new, Waker::noop().clone());
            self.deadlines.remove(old);
        }
        began.elapsed()
    }

    /// Sleeps of up to 100 ms that all come, with a look at the clock each millisecond.
    fn set_and_fire(&mut self) -> Duration {
        let keys: Vec<Key> =
            (0..BATCH).map(|_| self.key(Duration::ZERO, Duration::from_millis(100))).collect();
        let began = Instant::now();
        for key in keys {
            self.deadlines.insert(key, Waker::noop().clone());
        }
        for _ in 0..=100 {
            self.now += Duration::from_millis(1);
            while self.deadlines.pop_until(self.now).is_some() {}
        }
        began.elapsed()
    }
    // ANCHOR_END: rounds

    fn median(&mut self, round: fn(&mut Bench) -> Duration) -> u128 {
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| round(self)).collect();
        times.sort();
        times[ROUNDS / 2].as_nanos() / BATCH as u128
    }
}

/// For one timer: set and cancelled, and set and fired.
fn measure(deadlines: Box<dyn Deadlines>, start: Instant, waiting: u64) -> [u128; 2] {
    let mut bench = Bench { deadlines, now: start, dice: Dice(1), made: 0, waiting: Vec::new() };
    bench.wait(waiting);
    [bench.median(Bench::set_and_cancel), bench.median(Bench::set_and_fire)]
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let csv = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["csv"] => true,
        _ => {
            eprintln!("usage: timer_cost [csv]");
            return ExitCode::from(2);
        }
    };
    if csv {
        println!("waiting,map_cancel_ns,wheel_cancel_ns,map_fire_ns,wheel_fire_ns");
    } else {
        println!("           set and cancel, ns      set and fire, ns");
        println!("  waiting      map    wheel         map    wheel");
    }
    for waiting in WAITING {
        let start = Instant::now();
        let [map_cancel, map_fire] = measure(Box::new(BTreeMap::new()), start, waiting);
        let [wheel_cancel, wheel_fire] = measure(Box::new(Wheel::new(start)), start, waiting);
        if csv {
            println!("{waiting},{map_cancel},{wheel_cancel},{map_fire},{wheel_fire}");
        } else {
            println!(
                "{waiting:>9} {map_cancel:>8} {wheel_cancel:>8}    {map_fire:>8} {wheel_fire:>8}"
            );
        }
    }
    ExitCode::SUCCESS
}
