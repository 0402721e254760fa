//! Things with numbers that come and go. Built in chapter 13, section "Who was that for?".

/// The place of something, and how often that place was given away before. It fits into the 64 bits that
/// the kernel carries from a submission to its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) fn generation(self) -> u32 {
        self.generation
    }
}

impl From<Key> for u64 {
    fn from(key: Key) -> u64 {
        u64::from(key.generation) << 32 | u64::from(key.index)
    }
}

impl From<u64> for Key {
    fn from(data: u64) -> Key {
        Key { index: data as u32, generation: (data >> 32) as u32 }
    }
}

/// The last two indices are never given away, so that no key is all ones, or all but the lowest bit.
const MAX: usize = u32::MAX as usize - 1;
/// The end of the list of free places.
const END: u32 = u32::MAX;

pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The free place that is given away next.
    free: u32,
    len: usize,
}

struct Place<T> {
    generation: u32,
    /// Of a free place: the next free one.
    next: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: END, len: 0 }
    }
}

impl<T> Slab<T> {
    /// # Panics
    /// If there are 2³² − 2 things in it.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value).0
    }

    /// As `insert`, of something that knows its key.
    ///
    /// # Panics
    /// As `insert`.
    #[inline]
    pub(crate) fn insert_with(&mut self, value: impl FnOnce(Key) -> T) -> (Key, &mut T) {
        if self.free == END {
            self.grow();
        }
        let index = self.free;
        let place = &mut self.places[index as usize];
        debug_assert!(place.value.is_none(), "a free place is empty");
        let key = Key { index, generation: place.generation };
        let value = place.value.insert(value(key));
        self.free = place.next;
        self.len += 1;
        (key, value)
    }

    #[cold]
    fn grow(&mut self) {
        assert!(self.places.len() < MAX, "too many things at once");
        self.free = self.places.len() as u32;
        self.places.push(Place { generation: 0, next: END, value: None });
    }

    /// What is at a place, whatever its key.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> Option<(Key, &T)> {
        let place = self.places.get(index)?;
        let key = Key { index: index as u32, generation: place.generation };
        Some((key, place.value.as_ref()?))
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        place.value.as_ref().filter(|_| place.generation == key.generation)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.place(key)?.value.as_mut()
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.place(key)?;
        self.remove_at(key.index())
    }

    /// Removes what is at a place, whatever its key.
    #[inline]
    pub(crate) fn remove_at(&mut self, index: usize) -> Option<T> {
        let place = self.places.get_mut(index)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        place.next = self.free;
        self.free = index as u32;
        self.len -= 1;
        Some(value)
    }

    #[inline]
    fn place(&mut self, key: Key) -> Option<&mut Place<T>> {
        let place = self.places.get_mut(key.index as usize)?;
        (place.generation == key.generation).then_some(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        (0..).zip(&self.places).filter_map(|(index, place)| {
            Some((Key { index, generation: place.generation }, place.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_something_that_is_gone_finds_nothing_also_when_its_place_is_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert(1);
        assert_eq!(slab.remove(first), Some(1));
        let second = slab.insert(2);
        assert_eq!(second.index, first.index);
        assert!(slab.get(first).is_none() && slab.remove(first).is_none());
        assert_eq!(slab.get(second), Some(&2));
    }

    #[test]
    fn places_are_used_again_before_there_are_more() {
        let mut slab = Slab::default();
        for round in 0..100 {
            let keys: Vec<Key> = (0..10).map(|value| slab.insert(value + round)).collect();
            assert_eq!((slab.len(), slab.iter().count()), (10, 10));
            for (key, value) in keys.into_iter().zip(0..) {
                assert_eq!(slab.remove(key), Some(value + round));
            }
        }
        assert_eq!((slab.len(), slab.places.len()), (0, 10));
    }

    #[test]
    fn a_key_survives_the_journey_through_the_kernel() {
        let key = Key { index: 0x8765_4321, generation: u32::MAX };
        assert_eq!(Key::from(u64::from(key)), key);
    }

    #[test]
    fn a_generation_that_has_come_round_goes_on() {
        let mut slab = Slab::default();
        let key = slab.insert(1);
        slab.remove(key);
        slab.places[0].generation = u32::MAX;
        let last = slab.insert(2);
        assert_eq!((last.generation, slab.remove(last)), (u32::MAX, Some(2)));
        assert_eq!(slab.insert(3).generation, 0);
    }
}
