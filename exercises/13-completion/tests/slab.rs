//! Numbers that are used again, and are not taken for older ones.

mod common;

use std::collections::HashMap;

use ch13_completion::{Key, Slab};
use common::Random;
use conformance::watch;

/// The place of a key, which is the lower half of its 64 bits.
fn place(key: Key) -> u32 {
    u64::from(key) as u32
}

#[test]
fn what_was_put_in_is_found_under_its_number_and_can_be_taken_out() {
    watch(|| {
        let mut slab = Slab::default();
        let (one, two) = (slab.insert("one"), slab.insert("two"));
        assert_ne!(one, two);
        assert_eq!(slab.len(), 2);
        *slab.get_mut(two).expect("it is there") = "second";
        assert_eq!(slab.get_mut(one), Some(&mut "one"));
        assert_eq!(slab.remove(two), Some("second"));
        assert_eq!(slab.remove(one), Some("one"));
        assert!(slab.is_empty());
    });
}

#[test]
fn what_was_taken_out_is_gone() {
    watch(|| {
        let mut slab = Slab::default();
        let key = slab.insert('x');
        assert_eq!(slab.remove(key), Some('x'));
        assert_eq!(slab.get_mut(key), None);
        assert_eq!(slab.remove(key), None);
        assert_eq!((slab.len(), slab.is_empty()), (0, true));
    });
}

#[test]
fn a_place_is_used_again_and_its_old_number_gets_nothing() {
    watch(|| {
        let mut slab = Slab::default();
        let old = slab.insert("first");
        slab.remove(old);
        let new = slab.insert("second");
        assert_eq!(place(new), place(old), "the place is used again");
        assert_ne!(new, old);
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.len(), 1);
        assert_eq!(slab.get_mut(new), Some(&mut "second"));
    });
}

#[test]
fn a_number_is_never_given_away_twice() {
    watch(|| {
        let mut slab = Slab::default();
        let mut given = std::collections::HashSet::new();
        for round in 0..10_000 {
            let key = slab.insert(round);
            assert!(given.insert(key), "{key:?} was given away before");
            assert_eq!(place(key), 0, "one place is enough for one thing at a time");
            slab.remove(key);
        }
    });
}

#[test]
fn a_number_that_was_never_given_away_gets_nothing() {
    watch(|| {
        let mut slab = Slab::default();
        let key = slab.insert(1);
        for data in [u64::MAX, 1, u64::from(key) + (1 << 32), u64::from(u32::MAX)] {
            let strange = Key::from(data);
            assert_eq!(slab.get_mut(strange), None, "{data:#x}");
            assert_eq!(slab.remove(strange), None, "{data:#x}");
        }
        assert_eq!(slab.remove(key), Some(1));
    });
}

#[test]
fn a_key_goes_through_64_bits_and_back() {
    watch(|| {
        let mut random = Random(1);
        for _ in 0..10_000 {
            let data = random.below(u64::MAX);
            assert_eq!(u64::from(Key::from(data)), data);
        }
        let mut slab = Slab::default();
        for round in 0..100 {
            let key = slab.insert(round);
            assert_eq!(Key::from(u64::from(key)), key);
            if round % 3 == 0 {
                slab.remove(key);
            }
        }
    });
}

#[test]
fn the_numbers_of_all_that_is_there_can_be_had() {
    watch(|| {
        let mut slab = Slab::default();
        let keys: Vec<Key> = (0..5).map(|number| slab.insert(number)).collect();
        slab.remove(keys[1]);
        slab.remove(keys[4]);
        assert_eq!(slab.keys().collect::<Vec<_>>(), [keys[0], keys[2], keys[3]]);
        let again = slab.insert(9);
        assert!(slab.keys().any(|key| key == again));
    });
}

#[test]
fn whatever_comes_and_goes_a_slab_does_as_a_map_does_and_no_key_is_all_ones() {
    watch(|| {
        for seed in 1..=100 {
            let mut random = Random(seed);
            let mut slab = Slab::default();
            let mut model: HashMap<Key, u64> = HashMap::new();
            // Also those that have gone.
            let mut known: Vec<Key> = Vec::new();
            for step in 0..500 {
                match (random.below(4), known.len() as u64) {
                    (0 | 1, _) | (_, 0) => {
                        let key = slab.insert(step);
                        assert_ne!(u64::from(key), u64::MAX);
                        assert_eq!(model.insert(key, step), None, "seed {seed}: given away twice");
                        known.push(key);
                    }
                    (2, length) => {
                        let key = known[random.below(length) as usize];
                        assert_eq!(slab.remove(key), model.remove(&key), "seed {seed}");
                    }
                    (_, length) => {
                        let key = known[random.below(length) as usize];
                        assert_eq!(slab.get_mut(key), model.get_mut(&key), "seed {seed}");
                    }
                }
                assert_eq!((slab.len(), slab.is_empty()), (model.len(), model.is_empty()));
            }
            assert_eq!(slab.keys().count(), model.len());
            assert!(slab.keys().all(|key| model.contains_key(&key)));
            for key in known {
                assert_eq!(slab.remove(key), model.remove(&key), "seed {seed}");
            }
        }
    });
}
