use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;
use std::time::Instant;

// ANCHOR: deadlines
/// A timer's place in the order: by deadline, and among equal ones by the order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// When its waker is to be woken.
    pub deadline: Instant,
    /// Its number. No two timers of one [`Timers`](crate::Timers) have the same.
    pub id: u64,
}

/// A priority queue that gives up entries from its middle, too: most timers are timeouts, and most
/// timeouts are cancelled. None of these calls may run code of a waker: not even drop one.
///
/// See the section "A map of deadlines" of chapter 8. Chapter 14 puts a wheel in the map's place.
pub trait Deadlines: fmt::Debug {
    /// Puts a waker at its place. Returns the one that stood there.
    fn insert(&mut self, key: Key, waker: Waker) -> Option<Waker>;

    /// Takes a waker out, if it is still there.
    fn remove(&mut self, key: Key) -> Option<Waker>;

    /// When [`pop_until`](Deadlines::pop_until) should be called next: not after the nearest deadline.
    fn next_deadline(&self) -> Option<Instant>;

    /// Takes out the nearest deadline, if it is not after `now`.
    fn pop_until(&mut self, now: Instant) -> Option<(Key, Waker)>;

    /// How many there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
// ANCHOR_END: deadlines

// ANCHOR: map
/// A `BinaryHeap` finds only its top. A `BTreeMap` finds any entry, and takes `log n` steps for each.
impl Deadlines for BTreeMap<Key, Waker> {
    fn insert(&mut self, key: Key, waker: Waker) -> Option<Waker> {
        BTreeMap::insert(self, key, waker)
    }

    fn remove(&mut self, key: Key) -> Option<Waker> {
        BTreeMap::remove(self, &key)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.first_key_value().map(|(key, _)| key.deadline)
    }

    // ANCHOR: pop
    fn pop_until(&mut self, now: Instant) -> Option<(Key, Waker)> {
        // ANCHOR: pop_body
        let nearest = self.first_entry()?;
        (nearest.key().deadline <= now).then(|| nearest.remove_entry())
        // ANCHOR_END: pop_body
    }
    // ANCHOR_END: pop

    fn len(&self) -> usize {
        BTreeMap::len(self)
    }
}
// ANCHOR_END: map
