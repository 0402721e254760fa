use std::task::Waker;
use std::time::{Duration, Instant};

use crate::slab::{Key, Slab};

/// A wheel has this many slots: a digit of a number to the base 64 says which.
const SLOTS: usize = 64;
const BITS: u32 = SLOTS.trailing_zeros();
/// One wheel for each digit of 64 bits. A tick is a microsecond, so they turn for 584,542 years.
const WHEELS: usize = u64::BITS.div_ceil(BITS) as usize;

// ANCHOR: wheel
/// Deadlines in wheels, one for each digit of the time.
///
/// Built in chapter 14, section "A wheel for each digit". What changed: a timer has a place in a slab, so
/// nothing is hashed, and what is due is not sorted into a map.
pub(crate) struct Wheel {
    began: Instant,
    /// The time up to which all timers have been taken out, in ticks.
    now: u64,
    timers: Slab<Timer>,
    /// The slots of the first wheel, then those of the second, and so on.
    slots: Vec<Vec<Key>>,
    /// A bit for each slot in which something hangs.
    occupied: [u64; WHEELS],
    /// Those whose tick has come, the latest first.
    due: Vec<(Instant, u64, Key)>,
    last_number: u64,
}

struct Timer {
    deadline: Instant,
    /// Tells the order of equal deadlines.
    number: u64,
    waker: Waker,
    place: Option<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    wheel: usize,
    slot: usize,
    position: usize,
}
// ANCHOR_END: wheel

impl Wheel {
    pub(crate) fn new(began: Instant) -> Wheel {
        Wheel {
            began,
            now: 0,
            timers: Slab::default(),
            slots: (0..WHEELS * SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; WHEELS],
            due: Vec::new(),
            last_number: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }

    /// Has `waker` woken when the deadline comes. It is not before the time of the last `pop_until`: the clock
    /// never goes back, and what is past is nothing to wait for.
    pub(crate) fn insert(&mut self, deadline: Instant, waker: Waker) -> Key {
        self.last_number += 1;
        let number = self.last_number;
        let key = self.timers.insert(Timer { deadline, number, waker, place: None });
        let due = self.due.len();
        self.hang(key);
        if self.due.len() > due {
            self.sort_due();
        }
        key
    }

    /// Puts another waker there, and returns the one that stood there. `None` if the timer has been taken
    /// out: then nobody is woken any more.
    pub(crate) fn replace(&mut self, key: Key, waker: Waker) -> Result<Waker, Waker> {
        match self.timers.get_mut(key) {
            Some(timer) => Ok(std::mem::replace(&mut timer.waker, waker)),
            None => Err(waker),
        }
    }

    /// Takes a timer out, if it is still there.
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        let timer = self.timers.remove(key)?;
        match timer.place {
            Some(place) => self.unhang(place),
            None => {
                let at = self.due_before(timer.deadline, timer.number);
                self.due.remove(at);
            }
        }
        Some(timer.waker)
    }

    /// Takes all timers out.
    pub(crate) fn clear(&mut self) -> Vec<Waker> {
        let keys: Vec<Key> = self.timers.iter().map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| self.remove(key)).collect()
    }

    fn sort_due(&mut self) {
        self.due.sort_unstable_by(|(one, first, _), (other, second, _)| {
            (other, second).cmp(&(one, first))
        });
    }

    /// How many of those that are due come later than this one.
    fn due_before(&self, deadline: Instant, number: u64) -> usize {
        self.due.partition_point(|(other, theirs, _)| (*other, *theirs) > (deadline, number))
    }

    fn hang(&mut self, key: Key) {
        let Some(timer) = self.timers.get_mut(key) else { return };
        let tick = ticks(timer.deadline.saturating_duration_since(self.began));
        debug_assert!(tick >= self.now, "the clock has gone back");
        if tick == self.now {
            timer.place = None;
            self.due.push((timer.deadline, timer.number, key));
            return;
        }
        let highest = (tick ^ self.now).ilog2();
        let wheel = (highest / BITS) as usize;
        let slot = (tick >> (BITS * wheel as u32)) as usize % SLOTS;
        let hanging = &mut self.slots[wheel * SLOTS + slot];
        timer.place = Some(Place { wheel, slot, position: hanging.len() });
        hanging.push(key);
        self.occupied[wheel] |= 1 << slot;
    }

    /// Empties a place. The last one in the slot takes the position.
    fn unhang(&mut self, place: Place) {
        let Place { wheel, slot, position } = place;
        let hanging = &mut self.slots[wheel * SLOTS + slot];
        hanging.swap_remove(position);
        if let Some(moved) = hanging.get(position) {
            let moved = self.timers.get_mut(*moved).expect("what hangs is in the slab");
            moved.place = Some(place);
        }
        if hanging.is_empty() {
            self.occupied[wheel] &= !(1 << slot);
        }
    }

    /// The slot that comes first, and the tick at which it comes.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        // What hangs in a lower wheel has all higher digits in common with now, so it comes before.
        let wheel = self.occupied.iter().position(|occupied| *occupied != 0)?;
        let slot = self.occupied[wheel].trailing_zeros() as usize;
        let low = BITS * wheel as u32;
        let higher_digits = (self.now >> low >> BITS).checked_shl(BITS + low).unwrap_or(0);
        Some((wheel, slot, higher_digits | (slot as u64) << low))
    }

    /// When [`pop_until`](Wheel::pop_until) should be called next: not after the nearest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        if let Some((deadline, ..)) = self.due.last() {
            return Some(*deadline);
        }
        let (_, _, tick) = self.next_slot()?;
        self.began.checked_add(Duration::from_micros(tick))
    }

    /// Turns the wheels to `until`, and stops when something is due.
    fn turn(&mut self, until: u64) {
        while self.due.is_empty() {
            let Some((wheel, slot, tick)) = self.next_slot().filter(|(_, _, tick)| *tick <= until)
            else {
                debug_assert!(until >= self.now, "the clock has gone back");
                self.now = until;
                return;
            };
            self.now = tick;
            self.occupied[wheel] &= !(1 << slot);
            let mut cascading = std::mem::take(&mut self.slots[wheel * SLOTS + slot]);
            for key in cascading.drain(..) {
                self.hang(key);
            }
            // Nothing can have been hung there again, so its room can be used again.
            self.slots[wheel * SLOTS + slot] = cascading;
            self.sort_due();
        }
    }

    // ANCHOR: pop
    /// Takes out the nearest deadline, if it is not after `now`.
    pub(crate) fn pop_until(&mut self, now: Instant) -> Option<Waker> {
        self.turn(ticks(now.saturating_duration_since(self.began)));
        // The tick has come. The deadline may be a part of a tick later.
        let (.., key) = self.due.pop_if(|(deadline, ..)| *deadline <= now)?;
        self.timers.remove(key).map(|timer| timer.waker)
    }
}
// ANCHOR_END: pop

/// How many whole ticks have passed in this time.
fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::task::Wake;

    use super::*;

    /// A timer that says which one it is.
    struct Says(u64, Arc<AtomicU64>);

    impl Wake for Says {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0, SeqCst);
        }
    }

    /// A wheel beside a sorted map, which is the truth.
    struct Twins {
        began: Instant,
        wheel: Wheel,
        map: BTreeMap<(Instant, u64), Key>,
        keys: Vec<(Instant, u64)>,
        said: Arc<AtomicU64>,
        number: u64,
    }

    impl Twins {
        fn new() -> Twins {
            let began = Instant::now();
            Twins {
                began,
                wheel: Wheel::new(began),
                map: BTreeMap::new(),
                keys: Vec::new(),
                said: Arc::default(),
                number: 0,
            }
        }

        fn at(&self, nanos: u128) -> Instant {
            let seconds = u64::try_from(nanos / 1_000_000_000).expect("it fits");
            self.began + Duration::new(seconds, (nanos % 1_000_000_000) as u32)
        }

        fn insert(&mut self, deadline: Instant) {
            self.number += 1;
            let waker = Waker::from(Arc::new(Says(self.number, self.said.clone())));
            let key = self.wheel.insert(deadline, waker);
            self.map.insert((deadline, self.number), key);
            self.keys.push((deadline, self.number));
        }

        /// Takes one of them out of both, if it is still there.
        fn remove(&mut self, which: usize) {
            let (deadline, number) = self.keys.swap_remove(which % self.keys.len());
            if let Some(key) = self.map.remove(&(deadline, number)) {
                assert!(self.wheel.remove(key).is_some(), "what has not fired can be cancelled");
                assert!(self.wheel.remove(key).is_none(), "but not twice");
            }
        }

        /// Both agree on who is due, and in which order.
        fn fire(&mut self, now: Instant) {
            while let Some(entry) = self.map.first_entry()
                && entry.key().0 <= now
            {
                let number = entry.key().1;
                entry.remove();
                let waker = self.wheel.pop_until(now).expect("the map has one that is due");
                waker.wake();
                assert_eq!(self.said.load(SeqCst), number);
            }
            assert!(self.wheel.pop_until(now).is_none(), "the map has none that is due");
            self.is_whole();
        }

        fn is_whole(&self) {
            assert_eq!(self.wheel.len(), self.map.len());
            match self.map.first_key_value() {
                Some(((deadline, _), _)) => {
                    assert!(self.wheel.next().expect("there is a deadline") <= *deadline);
                }
                None => assert_eq!(self.wheel.next(), None),
            }
        }
    }

    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % sides
        }
    }

    #[test]
    fn deadlines_around_every_turn_of_every_wheel_fire_in_order_and_never_early() {
        let mut twins = Twins::new();
        // The deadlines and the looks are around each power of 64, and around twice that.
        let wheels = if cfg!(miri) { 3 } else { 9 };
        let powers = (0..wheels).flat_map(|wheel| [64_u128.pow(wheel), 2 * 64_u128.pow(wheel)]);
        let around = |tick: u128| [tick - 1, tick, tick + 1].map(|tick| tick * 1000);
        let times: Vec<u128> = powers.flat_map(around).collect();
        for nanos in times.iter().rev() {
            for off in [0, 1, 999] {
                twins.insert(twins.at(nanos + off));
            }
        }
        twins.is_whole();
        let mut looks: Vec<u128> = times.iter().flat_map(|nanos| [*nanos, nanos + 1]).collect();
        looks.sort_unstable();
        for look in looks {
            twins.fire(twins.at(look));
        }
        let end = twins.at(3 * 64_u128.pow(8) * 1000);
        twins.fire(end);
        assert!(twins.map.is_empty());
    }

    #[test]
    fn a_wheel_and_a_sorted_map_agree_on_a_random_life() {
        for seed in 1..=if cfg!(miri) { 1 } else { 20 } {
            let (mut twins, mut dice) = (Twins::new(), Dice(seed * 0x9E37_79B9));
            let mut now: u128 = 0;
            for _ in 0..if cfg!(miri) { 200 } else { 2000 } {
                let reach = 64_u64.pow(dice.roll(9) as u32);
                match dice.roll(4) {
                    0 | 1 => {
                        let later = u128::from(dice.roll(reach)) * 1000;
                        twins.insert(twins.at(now + later + u128::from(dice.roll(1000))));
                    }
                    2 if !twins.keys.is_empty() => twins.remove(dice.roll(u64::MAX) as usize),
                    _ => {
                        now += u128::from(dice.roll(reach.min(64_u64.pow(6))) * 997);
                        twins.fire(twins.at(now));
                    }
                }
            }
            let end = now + 64_u128.pow(9) * 1000;
            twins.fire(twins.at(end));
            assert!(twins.map.is_empty());
        }
    }

    #[test]
    fn deadlines_far_beyond_all_clocks_are_kept_and_can_be_cancelled() {
        let began = Instant::now();
        let mut wheel = Wheel::new(began);
        let far = [u64::MAX / 4_000_000, u64::MAX / 1_000_000, i64::MAX as u64 / 2];
        let far: Vec<Instant> =
            far.iter().filter_map(|secs| began.checked_add(Duration::from_secs(*secs))).collect();
        assert!(far.len() >= 2, "such times can be told");
        let keys: Vec<Key> =
            far.iter().map(|far| wheel.insert(*far, Waker::noop().clone())).collect();
        assert!(wheel.pop_until(began + Duration::from_secs(1 << 33)).is_none());
        assert!(wheel.next().is_some_and(|next| next <= far[0]));
        assert!(keys.into_iter().all(|key| wheel.remove(key).is_some()));
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn deadlines_in_the_tick_that_has_come_fire_in_order_and_never_early() {
        let mut twins = Twins::new();
        twins.fire(twins.at(5_000_100));
        for nanos in [700, 300, 900, 300, 500] {
            twins.insert(twins.at(5_000_000 + nanos));
            twins.is_whole();
        }
        twins.remove(2);
        for now in [299, 300, 400, 699, 700, 999] {
            twins.fire(twins.at(5_000_000 + now));
        }
        assert!(twins.map.is_empty() && twins.wheel.next().is_none());
    }

    #[test]
    fn a_million_timers_that_never_fire_leave_nothing_behind() {
        let began = Instant::now();
        let mut wheel = Wheel::new(began);
        let rounds: u64 = if cfg!(miri) { 10 } else { 10_000 };
        for round in 0..rounds {
            let now = began + Duration::from_micros(round * 77);
            let keys: Vec<Key> = (0..100)
                .map(|more| now + Duration::from_millis(1 + more * 37))
                .map(|deadline| wheel.insert(deadline, Waker::noop().clone()))
                .collect();
            assert!(keys.into_iter().all(|key| wheel.remove(key).is_some()));
            assert!(wheel.pop_until(now).is_none());
        }
        assert_eq!((wheel.len(), wheel.next()), (0, None));
        assert!(wheel.slots.iter().all(|slot| slot.is_empty()) && wheel.due.is_empty());
    }
}
