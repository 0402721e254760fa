//! Two wheels of 64 slots, turned tick by tick. What is due in this turn of the first wheel hangs there,
//! and all else in the second, one slot for each turn. At the beginning of a turn, a slot of the second
//! wheel cascades into the first.
//!
//! The failing wheels look at the first wheel's slot before they cascade. Predict: which of seven
//! deadlines comes at the wrong time, and how wrong is it?
//!
//! `cargo run -p ch14-swap --example off_by_one_cascade`
//! `cargo run -p ch14-swap --example off_by_one_cascade -- mended`

use std::mem;
use std::process::ExitCode;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use ch14_swap::Wheel;
use conformance::demo::{self, Version};
use trace::{Event, Recording, emit};

const DEADLINES: [u64; 7] = [62, 63, 64, 65, 127, 129, 190];

/// Two wheels, and the deadlines that hang in their slots.
struct TwoWheels {
    now: u64,
    first: [Vec<u64>; 64],
    second: [Vec<u64>; 64],
}

impl TwoWheels {
    fn new() -> TwoWheels {
        let [first, second] = [(); 2].map(|()| std::array::from_fn(|_| Vec::new()));
        TwoWheels { now: 0, first, second }
    }

    fn hang(&mut self, deadline: u64) {
        let (turn, slot) = (deadline / 64, (deadline % 64) as usize);
        if turn == self.now / 64 {
            emit!(Event::TimerHang { timer: deadline, wheel: 0, slot });
            self.first[slot].push(deadline);
        } else {
            let slot = turn as usize % 64;
            emit!(Event::TimerHang { timer: deadline, wheel: 1, slot });
            self.second[slot].push(deadline);
        }
    }

    // ANCHOR: fault
    /// One tick later. Returns what is due.
    fn tick(&mut self, version: Version) -> Vec<u64> {
        self.now += 1;
        match version {
            Version::Failing => {
                let due = self.take_slot();
                self.cascade();
                due
            }
            Version::Mended => {
                self.cascade();
                self.take_slot()
            }
        }
    }
    // ANCHOR_END: fault

    fn take_slot(&mut self) -> Vec<u64> {
        let slot = self.now as usize % 64;
        let due = mem::take(&mut self.first[slot]);
        if !due.is_empty() {
            emit!(Event::WheelTurn { wheel: 0, slot, tick: self.now });
        }
        due
    }

    fn cascade(&mut self) {
        if self.now.is_multiple_of(64) {
            let slot = (self.now / 64) as usize % 64;
            let cascading = mem::take(&mut self.second[slot]);
            if !cascading.is_empty() {
                emit!(Event::WheelTurn { wheel: 1, slot, tick: self.now });
            }
            for deadline in cascading {
                self.hang(deadline);
            }
        }
    }
}

/// When this crate's wheel has each deadline come.
fn by_the_wheel() -> Vec<(u64, u64)> {
    // Not a part of the run that is told of here.
    let _elsewhere = Recording::new().attach();
    let start = Instant::now();
    let at = |tick| start + Duration::from_micros(tick);
    let mut wheel = Wheel::new(start);
    for deadline in DEADLINES {
        wheel.insert(Key { deadline: at(deadline), id: deadline }, Waker::noop().clone());
    }
    let mut came = Vec::new();
    for now in 1..=256 {
        while let Some((key, _)) = wheel.pop_until(at(now)) {
            came.push((key.id, now));
        }
    }
    came
}

fn main() -> ExitCode {
    demo::run(|version| {
        let mut wheels = TwoWheels::new();
        DEADLINES.into_iter().for_each(|deadline| wheels.hang(deadline));
        let mut came = Vec::new();
        for now in 1..=256 {
            for deadline in wheels.tick(version) {
                emit!(Event::TimerFire { timer: deadline });
                println!("The deadline of tick {deadline} comes at tick {now}.");
                came.push((deadline, now));
            }
        }
        if let Some((deadline, now)) = came.iter().find(|(deadline, now)| deadline != now) {
            let late = now - deadline;
            return Err(format!(
                "Tick {deadline} was hung where the wheel had just been: {late} ticks late."
            )
            .into());
        }
        assert_eq!(came, by_the_wheel());
        println!("This crate's wheel says the same.");
        Ok(())
    })
}
