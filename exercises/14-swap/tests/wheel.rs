//! A wheel does what a sorted map does, up to a tick.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use ch14_swap::Wheel;
use common::Dice;
use conformance::watch;

const TICK: Duration = Duration::from_micros(1);
const NS: Duration = Duration::from_nanos(1);

/// How many wheels there are.
const WHEELS: u32 = 14;

/// Somebody who counts how often they are woken.
#[derive(Default)]
struct Sleeper(AtomicUsize);

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn sleeper() -> Waker {
    Waker::from(Arc::<Sleeper>::default())
}

/// So many ticks.
fn ticks(count: u128) -> Duration {
    let (seconds, rest) = (count / 1_000_000, count % 1_000_000);
    let seconds = seconds.try_into().expect("an Instant takes no more");
    Duration::new(seconds, rest as u32 * 1000)
}

/// A wheel, and the numbers of its timers.
struct Bench {
    start: Instant,
    wheel: Wheel,
    made: u64,
}

impl Bench {
    fn new() -> Bench {
        let start = Instant::now();
        Bench { start, wheel: Wheel::new(start), made: 0 }
    }

    fn key(&mut self, after: Duration) -> Key {
        self.made += 1;
        Key { deadline: self.start + after, id: self.made }
    }

    /// Hangs a new deadline.
    fn hang(&mut self, after: Duration) -> Key {
        let key = self.key(after);
        assert!(self.wheel.insert(key, sleeper()).is_none());
        key
    }

    /// The numbers of all timers that are due then, in the order in which they come out.
    fn pop_all(&mut self, after: Duration) -> Vec<u64> {
        let now = self.start + after;
        std::iter::from_fn(|| self.wheel.pop_until(now)).map(|(key, _)| key.id).collect()
    }

    /// When the wheel wants to be asked again.
    fn next(&self) -> Option<Duration> {
        Some(self.wheel.next_deadline()? - self.start)
    }
}

// What is in it.

#[test]
fn what_was_put_in_can_be_taken_out_and_is_gone_then() {
    watch(|| {
        let mut bench = Bench::new();
        assert!(bench.wheel.is_empty());
        let keys: Vec<Key> = (0..1000).map(|ms| bench.hang(Duration::from_millis(ms))).collect();
        assert_eq!(bench.wheel.len(), 1000);
        for (taken, key) in keys.iter().enumerate() {
            assert_eq!(bench.wheel.len(), 1000 - taken);
            assert!(bench.wheel.remove(*key).is_some());
            assert!(bench.wheel.remove(*key).is_none());
        }
        assert!(bench.wheel.is_empty());
    });
}

#[test]
fn those_who_hang_in_one_slot_can_be_taken_out_in_any_order() {
    watch(|| {
        let mut dice = Dice(1);
        for _ in 0..200 {
            let mut bench = Bench::new();
            let mut keys: Vec<Key> = (0..6).map(|_| bench.hang(5 * TICK)).collect();
            while !keys.is_empty() {
                let chosen = keys.swap_remove(dice.roll(keys.len() as u64) as usize);
                assert!(bench.wheel.remove(chosen).is_some());
                assert_eq!(bench.wheel.len(), keys.len());
            }
        }
    });
}

#[test]
fn a_deadline_that_is_put_in_again_keeps_its_place_and_gives_the_old_waker_back() {
    watch(|| {
        for after in [Duration::ZERO, 5 * TICK, Duration::from_secs(3600)] {
            let mut bench = Bench::new();
            let key = bench.key(after);
            let (first, second) = (sleeper(), sleeper());
            assert!(bench.wheel.insert(key, first.clone()).is_none());
            let replaced = bench.wheel.insert(key, second.clone()).expect("one was there");
            assert!(replaced.will_wake(&first));
            assert_eq!(bench.wheel.len(), 1);
            assert!(bench.wheel.remove(key).expect("it is there").will_wake(&second));
            assert_eq!(bench.wheel.len(), 0);
        }
    });
}

#[test]
fn no_waker_is_kept_when_its_deadline_is_gone() {
    watch(|| {
        let kept = Arc::<Sleeper>::default();
        let mut bench = Bench::new();
        let keys: Vec<Key> = [0, 5, 64, 70_000].map(|us| bench.key(us * TICK)).into();
        for key in &keys {
            bench.wheel.insert(*key, kept.clone().into());
        }
        assert_eq!(Arc::strong_count(&kept), 5);
        for key in keys {
            drop(bench.wheel.remove(key));
        }
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

#[test]
fn a_million_deadlines_are_put_in_and_taken_out_and_nothing_is_left() {
    watch(|| {
        let (kept, mut dice) = (Arc::<Sleeper>::default(), Dice(1));
        let mut bench = Bench::new();
        let mut waiting = Vec::new();
        for _ in 0..1_000_000 {
            let most = 1 << dice.roll(60);
            let key = bench.key(Duration::from_nanos(dice.roll(most)));
            bench.wheel.insert(key, kept.clone().into());
            waiting.push(key);
            if waiting.len() == 1000 {
                let chosen = dice.roll(1000) as usize;
                assert!(bench.wheel.remove(waiting.swap_remove(chosen)).is_some());
            }
        }
        assert_eq!((bench.wheel.len(), Arc::strong_count(&kept)), (999, 1000));
        for key in waiting {
            assert!(bench.wheel.remove(key).is_some());
        }
        assert!(bench.wheel.is_empty());
        assert_eq!(Arc::strong_count(&kept), 1);
    });
}

// When it wants to be asked.

#[test]
fn within_the_first_wheel_the_next_deadline_is_the_nearest() {
    watch(|| {
        let mut bench = Bench::new();
        for us in [40, 3, 63, 17] {
            bench.hang(us * TICK);
        }
        assert_eq!(bench.next(), Some(3 * TICK));
    });
}

#[test]
fn a_fraction_of_a_tick_counts_as_a_whole_one_so_that_nobody_is_early() {
    watch(|| {
        for (deadline, tick) in [(NS, TICK), (TICK, TICK), (TICK + NS, 2 * TICK)] {
            let mut bench = Bench::new();
            bench.hang(deadline);
            assert_eq!(bench.next(), Some(tick));
        }
    });
}

#[test]
fn what_hangs_in_a_higher_wheel_is_asked_for_when_its_slot_comes() {
    watch(|| {
        // 3 · 64 + 5 and 2 · 64² + 9 · 64: the slots come at 3 · 64 and 2 · 64².
        for (deadline, slot) in [(3 * 64 + 5, 3 * 64), (2 * 4096 + 9 * 64, 2 * 4096)] {
            let mut bench = Bench::new();
            bench.hang(ticks(deadline));
            assert_eq!(bench.next(), Some(ticks(slot)));
        }
    });
}

#[test]
fn a_lower_wheel_is_asked_for_before_a_higher_one() {
    watch(|| {
        let mut bench = Bench::new();
        bench.hang(ticks(64));
        bench.hang(ticks(1 << 40));
        assert_eq!(bench.next(), Some(ticks(64)));
        bench.hang(ticks(63));
        assert_eq!(bench.next(), Some(ticks(63)));
    });
}

#[test]
fn a_slot_from_which_the_last_one_was_taken_is_asked_for_no_more() {
    watch(|| {
        for (near, far) in [(5, 9), (5, 64), (64, 65 * 64), (70, 1 << 40)] {
            let mut bench = Bench::new();
            let (first, second) = (bench.hang(ticks(near)), bench.hang(ticks(near)));
            bench.hang(ticks(far));
            let with_both = bench.next();
            bench.wheel.remove(first);
            assert_eq!(bench.next(), with_both, "one is still there");
            bench.wheel.remove(second);
            assert!(bench.next() > with_both && bench.next() <= Some(ticks(far)));
        }
    });
}

#[test]
fn a_deadline_that_is_past_is_asked_for_at_once() {
    watch(|| {
        let mut bench = Bench::new();
        bench.hang(ticks(100));
        bench.hang(Duration::ZERO);
        assert_eq!((bench.next(), bench.wheel.len()), (Some(Duration::ZERO), 2));
    });
}

// When the time comes.

#[test]
fn a_deadline_comes_out_in_its_tick_and_not_before() {
    watch(|| {
        for after in [1, 2, 63, 64, 65, 4095, 4096, 4097, 1 << 30].map(ticks) {
            let mut bench = Bench::new();
            let id = bench.hang(after).id;
            assert!(bench.pop_all(after - NS).is_empty());
            assert_eq!(bench.wheel.len(), 1);
            assert_eq!(bench.pop_all(after), [id]);
            assert_eq!(bench.wheel.len(), 0);
        }
    });
}

#[test]
fn deadlines_come_out_in_their_order_and_equal_ones_in_that_of_their_making() {
    watch(|| {
        let mut bench = Bench::new();
        let five: Vec<u64> = (0..5).map(|_| bench.hang(ticks(5000)).id).collect();
        let later = bench.hang(ticks(5001)).id;
        let earlier = bench.hang(ticks(70)).id;
        // Within one tick, the map's order is kept, too.
        let [second, first] =
            [ticks(70) - 200 * NS, ticks(70) - 900 * NS].map(|at| bench.hang(at).id);
        let order = [vec![first, second, earlier], five, vec![later]].concat();
        assert_eq!(bench.pop_all(Duration::from_secs(1)), order);
    });
}

#[test]
fn of_those_who_hang_in_one_slot_of_a_higher_wheel_the_nearest_comes_out_first() {
    watch(|| {
        let mut bench = Bench::new();
        let ids = [90, 70, 100, 64].map(|us| bench.hang(ticks(us)).id);
        let [ninety, seventy, hundred, sixty_four] = ids;
        assert_eq!(bench.pop_all(ticks(64)), [sixty_four]);
        assert_eq!(bench.next(), Some(ticks(70)));
        assert_eq!(bench.pop_all(ticks(99)), [seventy, ninety]);
        assert_eq!(bench.pop_all(ticks(100)), [hundred]);
    });
}

#[test]
fn what_was_taken_out_does_not_come_however_far_it_has_cascaded() {
    watch(|| {
        // 64³ + 64² + 64 + 1 cascades from wheel to wheel.
        let far = ticks(64 * 64 * 64 + 64 * 64 + 64 + 1);
        for cascades in 0..4 {
            let mut bench = Bench::new();
            let key = bench.hang(far);
            for _ in 0..cascades {
                let next = bench.next().expect("one is waited for");
                let came = bench.pop_all(next);
                assert!(came.is_empty() == (next < far));
            }
            assert_eq!(bench.wheel.remove(key).is_some(), bench.wheel.is_empty());
            assert!(bench.pop_all(2 * far).is_empty());
        }
    });
}

#[test]
fn what_is_due_and_was_not_fetched_can_be_replaced_and_taken_out() {
    watch(|| {
        let mut bench = Bench::new();
        let keys = [bench.hang(ticks(5)), bench.hang(ticks(5)), bench.hang(ticks(5))];
        let now = bench.start + ticks(5);
        let (first, _) = bench.wheel.pop_until(now).expect("three are due");
        assert_eq!((first.id, bench.wheel.len()), (keys[0].id, 2));
        let waker = sleeper();
        assert!(bench.wheel.insert(keys[2], waker.clone()).is_some());
        assert!(bench.wheel.remove(keys[1]).is_some());
        let (last, woken) = bench.wheel.pop_until(now).expect("one is due");
        assert!(last.id == keys[2].id && woken.will_wake(&waker));
        assert!(bench.wheel.pop_until(now).is_none());
    });
}

#[test]
fn who_becomes_due_while_others_are_fetched_comes_in_the_order_of_the_deadlines() {
    watch(|| {
        let mut bench = Bench::new();
        bench.hang(ticks(100));
        let last = bench.hang(ticks(200)).id;
        let now = bench.start + ticks(300);
        assert!(bench.wheel.pop_until(now).is_some());
        let between = bench.hang(ticks(150)).id;
        let past = bench.hang(ticks(20)).id;
        assert_eq!(bench.pop_all(ticks(300)), [past, between, last]);
    });
}

#[test]
fn a_time_that_is_earlier_than_the_last_one_changes_nothing() {
    watch(|| {
        let mut bench = Bench::new();
        let id = bench.hang(ticks(100)).id;
        assert!(bench.pop_all(ticks(64)).is_empty());
        for earlier in [10, 63, 0] {
            assert!(bench.pop_all(ticks(earlier)).is_empty());
            assert_eq!(bench.next(), Some(ticks(100)));
        }
        assert_eq!(bench.pop_all(ticks(100)), [id]);
    });
}

/// 64ᵏ − 1, 64ᵏ and 64ᵏ + 1, for each wheel.
fn boundaries() -> impl Iterator<Item = u128> {
    (0..WHEELS).flat_map(|wheel| {
        let turn = 1_u128 << (6 * wheel);
        [turn - 1, turn, turn + 1]
    })
}

#[test]
fn across_every_boundary_a_deadline_comes_in_its_tick_after_one_cascade_for_each_digit_at_most() {
    watch(|| {
        let before: Vec<u128> = boundaries().chain([5 * 64 + 17, 63 * 64 + 63]).collect();
        for (now, distance) in before.iter().flat_map(|now| boundaries().map(|d| (*now, d))) {
            let mut bench = Bench::new();
            // The wheel has turned before, to a time that has all kinds of digits.
            assert!(bench.pop_all(ticks(now)).is_empty());
            let deadline = now + distance;
            let id = bench.hang(ticks(deadline)).id;
            let mut cascades = 0;
            let came = loop {
                let next = bench.next().expect("one is waited for");
                assert!(next <= ticks(deadline), "{now} + {distance}: asked for too late");
                let came = bench.pop_all(next);
                if !came.is_empty() {
                    assert_eq!(next, ticks(deadline), "{now} + {distance}: not in its tick");
                    break came;
                }
                cascades += 1;
                assert!(bench.next() > Some(next), "{now} + {distance}: the time stands still");
            };
            assert_eq!(came, [id]);
            let digits = (now ^ deadline).checked_ilog2().map_or(1, |bit| bit / 6 + 1);
            assert!(cascades < digits, "{now} + {distance}: {cascades} cascades");
        }
    });
}

#[test]
fn across_every_boundary_a_clock_that_jumps_finds_what_is_due() {
    watch(|| {
        for (deadline, other) in boundaries().flat_map(|d| boundaries().map(move |o| (d, o))) {
            let mut bench = Bench::new();
            let mut ids = [deadline, other].map(|tick| (tick, bench.hang(ticks(tick)).id));
            let middle = deadline.midpoint(other);
            let mut came = bench.pop_all(ticks(middle));
            assert_eq!(came.len(), ids.iter().filter(|(tick, _)| *tick <= middle).count());
            came.extend(bench.pop_all(ticks(deadline.max(other))));
            ids.sort();
            assert_eq!(came, ids.map(|(_, id)| id));
        }
    });
}

#[test]
fn the_latest_time_of_all_is_kept_and_nobody_is_woken_for_it() {
    watch(|| {
        let mut bench = Bench::new();
        // The longest step that can still be added, again and again.
        let mut latest = bench.start;
        for bit in (0..64).rev() {
            latest = latest.checked_add(Duration::from_secs(1 << bit)).unwrap_or(latest);
        }
        let key = Key { deadline: latest, id: 1 };
        bench.wheel.insert(key, sleeper());
        let near = Key { deadline: bench.start + ticks(64), id: 2 };
        bench.wheel.insert(near, sleeper());
        let (first, _) = bench.wheel.pop_until(latest - TICK).expect("the other one is due");
        assert_eq!((first, bench.wheel.len()), (near, 1));
        assert!(bench.wheel.pop_until(latest - TICK).is_none());
        assert!(bench.wheel.remove(key).is_some());
        assert!(bench.wheel.is_empty());
    });
}

/// Does `length` things at random to a wheel, and to chapter 8's map the same.
fn run(seed: u64, length: usize) {
    let start = Instant::now();
    let (mut wheel, mut map) = (Wheel::new(start), BTreeMap::<Key, Waker>::new());
    let (mut dice, mut now) = (Dice(seed), Duration::ZERO);
    // Every timer that was ever made: some of them are gone.
    let mut keys: Vec<Key> = Vec::new();
    let wakers: Vec<Waker> = (0..4).map(|_| sleeper()).collect();
    let mut steps = vec![format!("seed {seed}")];

    for _ in 0..length {
        match dice.roll(8) {
            // A new timer, an old one again, or an old one with another waker.
            choice @ 0..=3 => {
                if choice < 3 || keys.is_empty() {
                    let deadline = some_time(&mut dice, start, now);
                    keys.push(Key { deadline, id: keys.len() as u64 + 1 });
                }
                let key =
                    if choice < 3 { keys.len() - 1 } else { dice.roll(keys.len() as u64) as usize };
                let waker = &wakers[dice.roll(4) as usize];
                steps.push(format!("insert {:?}", keys[key]));
                let [from_wheel, from_map]: [Option<Waker>; 2] =
                    [&mut wheel as &mut dyn Deadlines, &mut map]
                        .map(|deadlines| deadlines.insert(keys[key], waker.clone()));
                assert!(same(&from_wheel, &from_map), "{steps:#?}");
            }
            4 | 5 if !keys.is_empty() => {
                let key = keys[dice.roll(keys.len() as u64) as usize];
                steps.push(format!("remove {key:?}"));
                let (from_wheel, from_map) = (wheel.remove(key), map.remove(&key));
                assert!(same(&from_wheel, &from_map), "{steps:#?}");
            }
            _ => {
                now = later(&mut dice, &wheel, start, now);
                steps.push(format!("it is {now:?}"));
                // The map is told the time in whole ticks. The wheel sees to that itself.
                let whole = ticks(now.as_nanos() / 1000);
                let most = 1 + dice.roll(4);
                for _ in 0..most {
                    let from_wheel = wheel.pop_until(start + now);
                    let from_map = Deadlines::pop_until(&mut map, start + whole);
                    assert_eq!(
                        from_wheel.as_ref().map(|(key, _)| key),
                        from_map.as_ref().map(|(key, _)| key),
                        "{steps:#?}"
                    );
                    let wakers =
                        [from_wheel, from_map].map(|popped| popped.map(|(_, waker)| waker));
                    assert!(same(&wakers[0], &wakers[1]), "{steps:#?}");
                }
            }
        }
        assert_eq!(wheel.len(), map.len(), "{steps:#?}");
        let nearest = map.first_key_value().map(|(key, _)| key.deadline);
        let next = wheel.next_deadline();
        assert_eq!(next.is_some(), nearest.is_some(), "{steps:#?}");
        assert!(next < nearest.map(|nearest| nearest + TICK) || nearest.is_none(), "{steps:#?}");
    }
}

/// A time that is past, near, or far, and more often than not next to a boundary.
fn some_time(dice: &mut Dice, start: Instant, now: Duration) -> Instant {
    let turn = ticks(1 << (6 * dice.roll(10)));
    let now = start + now;
    match dice.roll(6) {
        0 => now - now.saturating_duration_since(start) / (1 + dice.roll(5) as u32),
        1 => now + turn * dice.roll(64) as u32,
        2 => start + turn * dice.roll(64) as u32 + NS * dice.roll(3) as u32,
        3 => now + turn - NS * dice.roll(2000).min(turn.as_nanos() as u64) as u32,
        4 => now + TICK * dice.roll(200) as u32 + NS * dice.roll(1000) as u32,
        _ => now + turn + TICK * dice.roll(3) as u32,
    }
}

/// The time goes on: a little, as far as the wheel wants it to, or far.
fn later(dice: &mut Dice, wheel: &Wheel, start: Instant, now: Duration) -> Duration {
    let next = wheel.next_deadline().map_or(now, |next| next.saturating_duration_since(start));
    match dice.roll(5) {
        0 => now + NS * dice.roll(2_000) as u32,
        1 => now + TICK * dice.roll(100) as u32,
        2 => now + ticks(1 << (6 * dice.roll(6))),
        _ => now.max(next),
    }
}

fn same(one: &Option<Waker>, other: &Option<Waker>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.will_wake(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

#[test]
fn whatever_is_done_the_wheel_is_the_map_rounded_to_ticks() {
    watch(|| {
        // Short runs first: what is found is found in few steps.
        for length in 1..=60 {
            for seed in 1..=60 {
                run(seed, length);
            }
        }
        for seed in 1..=20 {
            run(seed, 2_000);
        }
    });
}
