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

// ANCHOR: wheel
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
// ANCHOR_END: wheel

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

    /// The first tick at which a deadline is past: rounded up, so that nobody is woken early.
    fn tick(&self, deadline: Instant) -> u128 {
        deadline.saturating_duration_since(self.began).as_nanos().div_ceil(1000)
    }

    // ANCHOR: hang
    /// Hangs a deadline into its slot, or puts it to those that are due.
    fn hang(&mut self, key: Key, waker: Waker) {
        // ANCHOR: hang_body
        let tick = self.tick(key.deadline);
        if tick <= self.now {
            self.due.insert(key, waker);
            return;
        }
        let highest = (tick ^ self.now).ilog2();
        let wheel = (highest / BITS) as usize;
        let slot = digit(tick, wheel);
        let hanging = &mut self.slots[wheel * SLOTS + slot];
        self.places.insert(key.id, Place { wheel, slot, position: hanging.len() });
        hanging.push((key, waker));
        self.occupied[wheel] |= 1 << slot;
        trace::emit!(trace::Event::TimerHang { timer: key.id, wheel, slot });
        // ANCHOR_END: hang_body
    }
    // ANCHOR_END: hang

    // ANCHOR: unhang
    /// Takes a deadline out of its slot. The last one in the slot takes its position.
    fn unhang(&mut self, id: u64) -> Option<Waker> {
        let Place { wheel, slot, position } = self.places.remove(&id)?;
        // ANCHOR: unhang_body
        let hanging = &mut self.slots[wheel * SLOTS + slot];
        let (_, waker) = hanging.swap_remove(position);
        if let Some((moved, _)) = hanging.get(position) {
            self.places.insert(moved.id, Place { wheel, slot, position });
        }
        if hanging.is_empty() {
            self.occupied[wheel] &= !(1 << slot);
        }
        Some(waker)
        // ANCHOR_END: unhang_body
    }
    // ANCHOR_END: unhang

    // ANCHOR: next_slot
    /// The slot that comes first, and the tick at which it comes.
    fn next_slot(&self) -> Option<(usize, usize, u128)> {
        // ANCHOR: next_slot_body
        // What hangs in a lower wheel has all higher digits in common with now, so it comes before.
        let wheel = self.occupied.iter().position(|occupied| *occupied != 0)?;
        let slot = self.occupied[wheel].trailing_zeros() as usize;
        let low = BITS * wheel as u32;
        let higher_digits = self.now >> low >> BITS << BITS << low;
        Some((wheel, slot, higher_digits | (slot as u128) << low))
        // ANCHOR_END: next_slot_body
    }
    // ANCHOR_END: next_slot

    // ANCHOR: turn
    /// Turns the wheels to `until`, and stops when something is due.
    fn turn(&mut self, until: u128) {
        // ANCHOR: turn_body
        while self.due.is_empty() {
            match self.next_slot().filter(|(_, _, tick)| *tick <= until) {
                None => {
                    self.now = self.now.max(until);
                    return;
                }
                Some((wheel, slot, tick)) => {
                    self.now = tick;
                    trace::emit!(trace::Event::WheelTurn { wheel, slot, tick: tick as u64 });
                    self.occupied[wheel] &= !(1 << slot);
                    let mut cascading = std::mem::take(&mut self.slots[wheel * SLOTS + slot]);
                    for (key, waker) in cascading.drain(..) {
                        self.places.remove(&key.id);
                        self.hang(key, waker);
                    }
                    // Nothing can have been hung there again, so its room can be used again.
                    self.slots[wheel * SLOTS + slot] = cascading;
                }
            }
        }
        // ANCHOR_END: turn_body
    }
    // ANCHOR_END: turn
}

/// One digit of a tick.
fn digit(tick: u128, wheel: usize) -> usize {
    (tick >> (BITS * wheel as u32)) as usize % SLOTS
}

// ANCHOR: deadlines
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
// ANCHOR_END: deadlines

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel").field("now", &self.now).field("len", &self.len()).finish()
    }
}
