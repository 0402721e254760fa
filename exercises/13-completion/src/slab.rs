/// The number of something in a [`Slab`]: its place, and how often that place was given away before.
/// It fits into the 64 bits that the kernel carries from a submission to its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
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

/// Things with numbers, that come and go. A place is used again, and its old number is not: who asks
/// for something that has gone does not get its successor.
///
/// See the section "Who was that for?" of chapter 13.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Puts something in, and says under which number.
    ///
    /// # Panics
    /// If there are 2³² − 1 things in it.
    pub fn insert(&mut self, value: T) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            // The last index is left out, so that no key is all ones: that number means nobody.
            let index =
                u32::try_from(self.places.len() - 1).ok().filter(|index| *index != u32::MAX);
            index.expect("too many operations at once")
        });
        let place = &mut self.places[index as usize];
        place.value = Some(value);
        Key { index, generation: place.generation }
    }

    /// Looks at something, if it is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.place(key)?.value.as_mut()
    }

    /// Takes something out, if it is still there.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        // EXERCISE 13.1: A number that is used once
        todo!("13.1: take the value out, and make the place free for the next one");
        // END 13.1
    }

    /// The numbers of all things in it.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        let places = (0..).zip(&self.places).filter(|(_, place)| place.value.is_some());
        places.map(|(index, place)| Key { index, generation: place.generation })
    }

    fn place(&mut self, key: Key) -> Option<&mut Place<T>> {
        let place = self.places.get_mut(key.index as usize)?;
        (place.generation == key.generation).then_some(place)
    }

    /// How many things are in it.
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
