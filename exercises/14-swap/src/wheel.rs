use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

use ch08_timers::{Deadlines, Key};
use rustc_hash::FxHashMap;

/// A wheel has this many slots: a digit of a number to the base 64 says which.
const SLOTS: usize = 64;
const BITS: u32 = SLOTS.trailing_zeros();
/// One wheel for each digit. An [`Instant`] counts 2⁶³ seconds, which are less than 2⁸⁴ ticks.
const WHEELS: usize = 84 / BITS as usize;
/// How many ticks there are in a second.
const SECOND: u128 = 1_000_000;

/// Deadlines in wheels: a hierarchical timer wheel.
///
/// Time is counted in ticks of a microsecond, and a tick is written as 14 digits to the base 64. There
/// is a wheel for each digit, and a slot for each value of it. A deadline hangs in the wheel of the
/// highest digit in which it differs from now. So it takes no search to put it in, and none to take it
/// out. When the time comes to a slot of a higher wheel, what hangs there goes to lower wheels: it
/// *cascades*.
///
/// See the section "A wheel for each digit" of chapter 14.
pub struct Wheel {
    began: Instant,
    /// The time up to which all deadlines have been taken out, in ticks.
    now: u128,
    /// The slots of the first wheel, then those of the second, and so on.
    slots: Vec<Vec<(Key, Waker)>>,
    /// A bit for each slot in which something hangs.
    occupied: [u64; WHEELS],
    /// Where each deadline hangs, by its number.
    places: FxHashMap<u64, Place>,
    /// What was taken out of its slot because its tick has come, and not fetched yet.
    due: BTreeMap<Key, Waker>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    wheel: usize,
    slot: usize,
    position: usize,
}

impl Wheel {
    /// An empty wheel, which begins to turn at `began`.
    pub fn new(began: Instant) -> Wheel {
        Wheel {
            began,
            now: 0,
            slots: (0..WHEELS * SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; WHEELS],
            places: FxHashMap::default(),
            due: BTreeMap::new(),
        }
    }

    /// The tick of a deadline.
    fn tick(&self, deadline: Instant) -> u128 {
        deadline.saturating_duration_since(self.began).as_micros()
    }

    /// Hangs a deadline into its slot, or puts it to those that are due.
    fn hang(&mut self, key: Key, waker: Waker) {
        // EXERCISE 14.1: Hang it up
        todo!("14.1: hang the deadline into its slot, or put it to those that are due");
        // END 14.1
    }

    /// Takes a deadline out of its slot. The last one in the slot takes its position.
    fn unhang(&mut self, id: u64) -> Option<Waker> {
        let Place { wheel, slot, position } = self.places.remove(&id)?;
        // EXERCISE 14.1: Hang it up
        todo!("14.1: take it out of its slot, and give its waker back");
        // END 14.1
    }

    /// The slot that comes first, and the tick at which it comes.
    fn next_slot(&self) -> Option<(usize, usize, u128)> {
        // EXERCISE 14.2: Turn the wheels
        todo!("14.2: find the slot that comes first, and say at which tick it comes");
        // END 14.2
    }

    /// Turns the wheels to `until`, and stops when something is due.
    fn turn(&mut self, until: u128) {
        // EXERCISE 14.2: Turn the wheels
        todo!("14.2: turn to the next slots, one after the other, until something is due");
        // END 14.2
    }
}

/// One digit of a tick.
fn digit(tick: u128, wheel: usize) -> usize {
    (tick >> (BITS * wheel as u32)) as usize % SLOTS
}

impl Deadlines for Wheel {
    fn insert(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        if let Some(due) = self.due.get_mut(&key) {
            return Some(std::mem::replace(due, waker));
        }
        if let Some(Place { wheel, slot, position }) = self.places.get(&key.id) {
            let (_, hanging) = &mut self.slots[wheel * SLOTS + slot][*position];
            return Some(std::mem::replace(hanging, waker));
        }
        self.hang(key, waker);
        None
    }

    fn remove(&mut self, key: Key) -> Option<Waker> {
        self.due.remove(&key).or_else(|| self.unhang(key.id))
    }

    fn next_deadline(&self) -> Option<Instant> {
        if let Some((key, _)) = self.due.first_key_value() {
            return Some(key.deadline);
        }
        let (_, _, tick) = self.next_slot()?;
        let ahead = Duration::new((tick / SECOND) as u64, (tick % SECOND) as u32 * 1000);
        self.began.checked_add(ahead)
    }

    fn pop_until(&mut self, now: Instant) -> Option<(Key, Waker)> {
        self.turn(now.saturating_duration_since(self.began).as_micros());
        self.due.pop_first()
    }

    fn len(&self) -> usize {
        self.places.len() + self.due.len()
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel").field("now", &self.now).field("len", &self.len()).finish()
    }
}
