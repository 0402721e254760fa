//! One entry for each sleeper, in order, and gone when nobody waits for it.

mod common;

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use ch08_timers::{Clock, Sleep, Timers, enter, sleep, sleep_until};
use common::{Bench, Dice, HOUR, Log, MS, Sleeper, checked, panic_text, timer_events};

#[test]
fn a_sleep_waits_from_its_first_poll_and_is_one_entry_however_often_it_is_polled() {
    checked(|| {
        let bench = Bench::new();
        let mut sleep = bench.sleep_until(10);
        assert!(bench.timers.is_empty());

        let log = Log::default();
        let sleeper = log.sleeper(1);
        for _ in 0..3 {
            assert!(sleeper.poll(&mut sleep).is_pending());
            assert_eq!((bench.timers.len(), sleeper.kept()), (1, 1));
            assert_eq!(bench.timers.next_deadline(), Some(bench.start + 10 * MS));
        }
        drop(sleep);
        assert_eq!((bench.timers.len(), sleeper.kept()), (0, 0));
        assert!(log.take().is_empty());
    });
}

#[test]
fn the_waker_of_an_earlier_poll_is_given_up() {
    checked(|| {
        let bench = Bench::new();
        let (log, mut sleep) = (Log::default(), bench.sleep_until(10));
        let (first, second) = (log.sleeper(1), log.sleeper(2));
        assert!(first.poll(&mut sleep).is_pending());
        assert!(second.poll(&mut sleep).is_pending());
        assert_eq!((first.kept(), second.kept()), (0, 1));
    });
}

#[test]
fn a_sleep_is_ready_when_its_deadline_has_come_and_not_before() {
    checked(|| {
        let bench = Bench::new();
        let (log, mut sleep) = (Log::default(), bench.sleep_until(10));
        let sleeper = log.sleeper(1);
        assert!(sleeper.poll(&mut sleep).is_pending());

        bench.pass(10 * MS - Duration::from_nanos(1));
        assert!(log.take().is_empty());
        assert!(!sleep.is_elapsed());
        assert!(sleeper.poll(&mut sleep).is_pending());

        bench.pass(Duration::from_nanos(1));
        assert_eq!(log.take(), [1]);
        assert_eq!((bench.timers.len(), sleeper.kept()), (0, 0));
        assert!(sleep.is_elapsed());
        for _ in 0..2 {
            assert!(sleeper.poll(&mut sleep).is_ready());
        }
    });
}

#[test]
fn a_sleep_that_is_ready_before_it_was_woken_leaves_nothing_behind() {
    checked(|| {
        let bench = Bench::new();
        let (log, mut sleep) = (Log::default(), bench.sleep_until(10));
        let sleeper = log.sleeper(1);
        assert!(sleeper.poll(&mut sleep).is_pending());
        bench.timers.clock().advance(10 * MS);
        assert!(sleeper.poll(&mut sleep).is_ready());
        assert_eq!((bench.timers.len(), sleeper.kept()), (0, 0));
    });
}

#[test]
fn sleepers_are_woken_in_the_order_of_their_deadlines() {
    checked(|| {
        let bench = Bench::new();
        let log = Log::default();
        let mut sleeps = [30, 10, 40, 20].map(|ms| bench.sleep_until(ms));
        for (name, sleep) in sleeps.iter_mut().enumerate() {
            assert!(log.sleeper(name).poll(sleep).is_pending());
        }
        bench.pass(20 * MS);
        assert_eq!(log.take(), [1, 3]);
        bench.pass(HOUR);
        assert_eq!(log.take(), [0, 2]);
    });
}

#[test]
fn equal_deadlines_are_woken_in_the_order_in_which_the_sleeps_were_made() {
    checked(|| {
        let bench = Bench::new();
        let log = Log::default();
        let mut sleeps = [5; 4].map(|ms| bench.sleep_until(ms));
        // The order of the polls does not matter, and neither does another poll.
        for name in [2, 0, 3, 1, 0] {
            assert!(log.sleeper(name).poll(&mut sleeps[name]).is_pending());
        }
        bench.pass(5 * MS);
        assert_eq!(log.take(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_sleep_that_is_polled_by_two_in_turn_wakes_the_later_one() {
    checked(|| {
        let bench = Bench::new();
        let (log, mut sleep) = (Log::default(), bench.sleep_until(10));
        let (first, second) = (log.sleeper(1), log.sleeper(2));
        assert!(first.poll(&mut sleep).is_pending());
        assert!(second.poll(&mut sleep).is_pending());
        assert_eq!((first.kept(), second.kept()), (0, 1));
        bench.pass(10 * MS);
        assert_eq!(log.take(), [2]);
    });
}

#[test]
fn a_dropped_sleep_wakes_nobody() {
    checked(|| {
        let bench = Bench::new();
        let log = Log::default();
        let mut sleeps = [10, 10, 20].map(|ms| bench.sleep_until(ms));
        let sleepers: Vec<Sleeper> = (0..3).map(|name| log.sleeper(name)).collect();
        for (sleeper, sleep) in sleepers.iter().zip(&mut sleeps) {
            assert!(sleeper.poll(sleep).is_pending());
        }
        let [_keeps, dropped, _too] = sleeps;
        drop(dropped);
        assert_eq!((bench.timers.len(), sleepers[1].kept()), (2, 0));
        bench.pass(HOUR);
        assert_eq!(log.take(), [0, 2]);
    });
}

#[test]
fn a_sleep_that_was_never_polled_leaves_no_trace() {
    checked(|| {
        let bench = Bench::new();
        drop(bench.sleep_until(10));
        assert_eq!(timer_events(), "");
    });
}

#[test]
fn a_reset_moves_the_deadline_and_the_old_one_wakes_nobody() {
    checked(|| {
        for (old, new) in [(10, 20), (20, 10)] {
            let bench = Bench::new();
            let (log, mut sleep) = (Log::default(), bench.sleep_until(old));
            let sleeper = log.sleeper(1);
            assert!(sleeper.poll(&mut sleep).is_pending());

            sleep.reset(bench.start + new * MS);
            assert_eq!(sleep.deadline(), Some(bench.start + new * MS));
            assert_eq!((bench.timers.len(), sleeper.kept()), (0, 0));
            assert!(sleeper.poll(&mut sleep).is_pending());
            assert_eq!(bench.timers.len(), 1);

            bench.pass(new * MS - Duration::from_nanos(1));
            assert!(log.take().is_empty());
            bench.pass(Duration::from_nanos(1));
            assert_eq!(log.take(), [1]);
            bench.pass(HOUR);
            assert!(log.take().is_empty());
        }
    });
}

#[test]
fn a_sleep_that_is_over_can_be_reset_and_sleeps_again() {
    checked(|| {
        let bench = Bench::new();
        let (log, mut sleep) = (Log::default(), bench.sleep_until(10));
        let sleeper = log.sleeper(1);
        for ms in [10, 20, 30] {
            sleep.reset(bench.start + ms * MS);
            assert!(sleeper.poll(&mut sleep).is_pending());
            bench.pass(10 * MS);
            assert_eq!(log.take(), [1]);
            assert!(sleeper.poll(&mut sleep).is_ready());
        }
        assert_eq!(bench.timers.len(), 0);
    });
}

#[test]
fn zero_and_past_deadlines_are_no_wait_at_all() {
    checked(|| {
        let bench = Bench::new();
        let sleeper = Log::default().sleeper(1);
        let mut none = enter(&bench.timers, || sleep(Duration::ZERO));
        assert!(sleeper.poll(&mut none).is_ready());
        let mut past = bench.sleep_until(10);
        bench.timers.clock().advance(HOUR);
        assert!(sleeper.poll(&mut past).is_ready());
        assert_eq!((timer_events(), bench.timers.len()), (String::new(), 0));
    });
}

#[test]
fn the_longest_duration_is_for_ever() {
    checked(|| {
        let bench = Bench::new();
        let sleeper = Log::default().sleeper(1);
        let mut for_ever = enter(&bench.timers, || sleep(Duration::MAX));
        assert_eq!(for_ever.deadline(), None);
        assert!(sleeper.poll(&mut for_ever).is_pending());
        bench.timers.clock().advance(10_000 * 365 * 24 * HOUR);
        assert!(sleeper.poll(&mut for_ever).is_pending());
        assert!(!for_ever.is_elapsed());
        // Nobody needs to be woken.
        assert_eq!((bench.timers.len(), sleeper.kept()), (0, 0));
        // Another deadline brings it back.
        for_ever.reset(bench.timers.clock().now());
        assert!(sleeper.poll(&mut for_ever).is_ready());
    });
}

#[test]
fn a_sleep_counts_from_when_it_was_made() {
    checked(|| {
        let bench = Bench::new();
        let sleeper = Log::default().sleeper(1);
        let mut sleep = enter(&bench.timers, || sleep(10 * MS));
        bench.timers.clock().advance(10 * MS);
        assert!(sleeper.poll(&mut sleep).is_ready());
    });
}

#[test]
fn a_timer_that_is_made_outside_of_a_runtime_panics_and_says_why() {
    let said = "a timer was made outside of Runtime::block_on: no clock runs on this thread";
    assert_eq!(panic_text(|| drop(sleep(MS))), said);
    assert_eq!(panic_text(|| drop(sleep_until(Instant::now()))), said);
    assert_eq!(panic_text(|| drop(ch08_timers::timeout(MS, async {}))), said);
    assert_eq!(panic_text(|| drop(ch08_timers::interval(MS))), said);
    assert_eq!(panic_text(|| drop(Timers::current())), said);
}

#[test]
fn only_a_virtual_clock_can_be_moved() {
    let real = Clock::real();
    assert_eq!(panic_text(|| real.advance(MS)), "only a virtual clock can be moved");
    let (before, seen, after) = (Instant::now(), real.now(), Instant::now());
    assert!(before <= seen && seen <= after);

    let clock = Clock::virtual_now();
    let start = clock.now();
    clock.advance(HOUR);
    clock.advance(Duration::ZERO);
    assert_eq!(clock.now() - start, HOUR);
    let said = "the time is later than an Instant can tell";
    for too_far in [Duration::MAX, Duration::MAX - HOUR] {
        assert_eq!(panic_text(|| clock.advance(too_far)), said);
    }
    assert_eq!(clock.now() - start, HOUR);
}

#[test]
fn the_steps_of_a_timer_are_recorded() {
    checked(|| {
        let bench = Bench::new();
        let sleeper = Log::default().sleeper(1);
        let [mut fires, mut cancelled, mut reset] = [10, 20, 30].map(|ms| bench.sleep_until(ms));
        for sleep in [&mut fires, &mut cancelled, &mut reset] {
            assert!(sleeper.poll(sleep).is_pending());
            assert!(sleeper.poll(sleep).is_pending());
        }
        bench.pass(10 * MS);
        assert!(sleeper.poll(&mut fires).is_ready());
        drop((fires, cancelled));
        reset.reset(bench.start + HOUR);
        assert!(sleeper.poll(&mut reset).is_pending());
        drop(reset);
        if trace::ENABLED {
            assert_eq!(timer_events(), "set1 set2 set3 fire1 cancel2 cancel3 set4 cancel4");
        }
    });
}

/// What the timers are held against: a list that nobody has thought about.
#[derive(Default)]
struct Model {
    /// Deadline, number in the order of making, and who is to be woken.
    waiting: Vec<(Instant, usize, usize)>,
}

impl Model {
    fn remove(&mut self, number: usize) {
        self.waiting.retain(|(_, waits, _)| *waits != number);
    }

    fn fire(&mut self, now: Instant) -> Vec<usize> {
        self.waiting.sort();
        let due = self.waiting.iter().take_while(|(deadline, ..)| *deadline <= now).count();
        self.waiting.drain(..due).map(|(_, _, sleeper)| sleeper).collect()
    }
}

/// A sleep, and its number in the order of making.
struct Slot {
    sleep: Sleep,
    number: usize,
}

/// Does `length` things at random to four sleeps, and to the model the same.
fn run(seed: u64, length: usize) {
    let bench = Bench::new();
    let (log, mut model, mut dice) = (Log::default(), Model::default(), Dice(seed));
    let mut made = 0;
    let mut number = || {
        made += 1;
        made
    };
    let make =
        |dice: &mut Dice, number| Slot { sleep: bench.sleep_until(dice.roll(20) as u32), number };
    let mut slots: Vec<Slot> = (0..4).map(|_| make(&mut dice, number())).collect();
    let mut steps = vec![format!("seed {seed}: {slots:?}")];

    for _ in 0..length {
        let chosen = dice.roll(slots.len());
        let slot = &mut slots[chosen];
        match dice.roll(8) {
            0..=3 => {
                let sleeper = dice.roll(3);
                steps.push(format!("sleeper {sleeper} polls {slot:?}"));
                let is_over = slot.sleep.deadline() <= Some(bench.timers.clock().now());
                let poll = log.sleeper(sleeper).poll(&mut slot.sleep);
                assert_eq!(poll.is_ready(), is_over, "{steps:#?}");
                model.remove(slot.number);
                if !is_over {
                    let deadline = slot.sleep.deadline().expect("none is for ever");
                    model.waiting.push((deadline, slot.number, sleeper));
                }
            }
            4 => {
                let ms = dice.roll(20) as u32;
                steps.push(format!("{slot:?} is reset to {ms} ms"));
                slot.sleep.reset(bench.start + ms * MS);
                model.remove(slot.number);
                slot.number = number();
            }
            5 => {
                steps.push(format!("{slot:?} is dropped"));
                model.remove(slot.number);
                *slot = make(&mut dice, number());
            }
            _ => {
                let ms = dice.roll(4) as u32;
                steps.push(format!("{ms} ms pass"));
                bench.pass(ms * MS);
                let expected = model.fire(bench.timers.clock().now());
                assert_eq!(log.take(), expected, "{steps:#?}");
            }
        }
        assert_eq!(bench.timers.len(), model.waiting.len(), "{steps:#?}");
        let next = model.waiting.iter().map(|(deadline, ..)| *deadline).min();
        assert_eq!(bench.timers.next_deadline(), next, "{steps:#?}");
    }
    drop(slots);
    assert!(bench.timers.is_empty(), "{steps:#?}");
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sleep {} until {:?}", self.number, self.sleep.deadline())
    }
}

#[test]
fn whatever_is_done_the_timers_are_those_of_a_sorted_list() {
    checked(|| {
        // Short runs first: what is found is found in few steps.
        for length in 1..=40 {
            for seed in 1..=40 {
                run(seed, length);
            }
        }
    });
}

#[test]
fn a_hundred_thousand_sleepers_are_woken_in_order_and_none_early() {
    checked(|| {
        // On a thread that is not recorded: so many events would say no more.
        let other = thread::spawn(|| {
            let bench = Bench::new();
            let (log, mut dice) = (Log::default(), Dice(1));
            let mut sleeps: Vec<Sleep> =
                (0..100_000).map(|_| bench.sleep_until(1 + dice.roll(10_000) as u32)).collect();
            for (name, sleep) in sleeps.iter_mut().enumerate() {
                assert!(log.sleeper(name).poll(sleep).is_pending());
            }

            let mut woken = Vec::new();
            while let Some(nearest) = bench.timers.next_deadline() {
                let now = bench.timers.clock().now();
                bench.pass(nearest - now);
                for name in log.take() {
                    assert_eq!(sleeps[name].deadline(), Some(nearest));
                    woken.push(name);
                }
            }
            let mut expected: Vec<usize> = (0..sleeps.len()).collect();
            expected.sort_by_key(|name| (sleeps[*name].deadline(), *name));
            assert!(woken == expected);
        });
        other.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}
