//! Pools: the tables of things that are named by a key.
//!
//! A place in a pool is taken by `claim` and given back by `release`. Its content is filled in and cleared where it is:
//! waits and scopes come and go with almost every operation, and a slab would move each of them in and out. Who holds a
//! key finds the holder of the place only as long as it is the one that the key was made for.
//!
//! P1. The tag of a place is the number of its holder's key, or, if it is free, the next free place. The two cannot be
//!     mixed up, because kernels are numbered from 1 and so every key is greater than `END`.

use crate::key::{self, Key};

/// No place: the end of the list of free ones.
const END: u32 = key::MAX_INDEX as u32;

/// How many places are made at once.
const MORE: usize = 16;

struct Place<T> {
    /// P1.
    tag: usize,
    content: T,
}

pub(crate) struct Pool<T> {
    places: Vec<Place<T>>,
    /// The first free place.
    free: u32,
    kernel: Key,
    /// How many holders there ever were, for the serials.
    count: u64,
}

impl<T: Default> Pool<T> {
    pub(crate) fn new(kernel: Key) -> Pool<T> {
        Pool {
            places: Vec::new(),
            free: END,
            kernel,
            count: 0,
        }
    }

    /// Takes a place. What is in it was left there by the last holder.
    ///
    /// # Panics
    ///
    /// If there are more than a key can name.
    #[inline(always)]
    pub(crate) fn claim(&mut self) -> Key {
        self.claim_mut().0
    }

    /// The same, with what is in the place.
    #[inline(always)]
    pub(crate) fn claim_mut(&mut self) -> (Key, &mut T) {
        let index = self.free;
        if index as usize >= self.places.len() {
            return self.grow();
        }
        self.count += 1;
        let place = &mut self.places[index as usize];
        let key = self.kernel.with(self.count, index);
        self.free = place.tag as u32;
        place.tag = key.number();
        (key, &mut place.content)
    }

    /// The same, where no place is free: some are made at once.
    #[inline(never)]
    fn grow(&mut self) -> (Key, &mut T) {
        assert!(
            !self.is_full(),
            "too many waiting operations, timeouts or sockets for one kernel"
        );
        let first = self.places.len();
        let end = (first + MORE).min(key::MAX_INDEX);
        // P1: each names the next.
        let tags = (first + 1..end).chain([END as usize]);
        let content = T::default;
        self.places.extend(tags.map(|tag| Place {
            tag,
            content: content(),
        }));
        self.free = first as u32;
        self.claim_mut()
    }

    /// The place that `claim` takes, if it need not make room.
    #[inline(always)]
    pub(crate) fn free_place(&self) -> Option<u32> {
        let has_room = (self.free as usize) < self.places.len();
        has_room.then_some(self.free)
    }

    /// Whether `claim` would panic.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.free == END && self.places.len() >= key::MAX_INDEX
    }

    /// Gives a place back. What is in it can be read until somebody else takes the place; whatever is to be dropped must
    /// be taken out.
    #[inline(always)]
    pub(crate) fn release(&mut self, index: u32) -> &mut T {
        let place = &mut self.places[index as usize];
        place.tag = std::mem::replace(&mut self.free, index) as usize;
        &mut place.content
    }

    /// The place that the key names, if its holder is still there.
    #[inline]
    pub(crate) fn find(&self, key: Key) -> Option<u32> {
        let place = self.places.get(key.index() as usize)?;
        (place.tag == key.number()).then_some(key.index())
    }

    /// What is in the place that the key names, likewise.
    #[inline]
    pub(crate) fn find_ref(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index() as usize)?;
        (place.tag == key.number()).then_some(&place.content)
    }

    /// The same, to be changed.
    #[inline]
    pub(crate) fn find_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index() as usize)?;
        (place.tag == key.number()).then_some(&mut place.content)
    }

    /// The key of the present holder.
    #[inline]
    pub(crate) fn key(&self, index: u32) -> Option<Key> {
        let tag = self.places[index as usize].tag;
        Key::from_number(tag).filter(|_| tag > END as usize)
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &T {
        &self.places[index as usize].content
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut T {
        &mut self.places[index as usize].content
    }

    /// What is at this place, if there is such a place.
    #[inline]
    pub(crate) fn try_get_mut(&mut self, index: u32) -> Option<&mut T> {
        Some(&mut self.places.get_mut(index as usize)?.content)
    }

    #[inline]
    pub(crate) fn try_get(&self, index: u32) -> Option<&T> {
        Some(&self.places.get(index as usize)?.content)
    }

    /// The key of the present holder besides.
    #[inline]
    pub(crate) fn place_mut(&mut self, index: u32) -> Option<(Option<Key>, &mut T)> {
        let place = self.places.get_mut(index as usize)?;
        Some((Key::from_number(place.tag), &mut place.content))
    }

    /// What is in all places that are taken, by their number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let places = (0..).zip(&self.places);
        let taken = places.filter(|(_, place)| place.tag > END as usize);
        taken.map(|(index, place)| (index, &place.content))
    }

    /// The same, to be changed.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let taken = self.places.iter_mut().filter(|place| place.tag > END as usize);
        taken.map(|place| &mut place.content)
    }

    /// How many places are taken. It counts them.
    pub(crate) fn len(&self) -> usize {
        self.iter().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_finds_its_place_until_that_is_given_back() {
        let mut pool = Pool::<&str>::new(Key::of_kernel(1));
        let (first, second) = (pool.claim(), pool.claim());
        pool.release(first.index());
        assert_eq!(pool.key(first.index()), None);
        let third = pool.claim();
        assert_eq!(third.index(), first.index(), "the place is used again");
        let found = [first, second, third].map(|key| pool.find(key));
        assert_eq!(found, [None, Some(second.index()), Some(third.index())]);
        assert_eq!(pool.key(third.index()), Some(third));
    }

    #[test]
    fn only_what_is_taken_is_listed() {
        let mut pool = Pool::new(Key::of_kernel(1));
        let keys: Vec<Key> = ["a", "b", "c", "d"]
            .map(|name| {
                let key = pool.claim();
                *pool.get_mut(key.index()) = name;
                key
            })
            .to_vec();
        for n in [1, 3] {
            pool.release(keys[n].index());
        }
        assert_eq!(pool.iter().map(|(_, name)| *name).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(pool.len(), 2);
    }
}
