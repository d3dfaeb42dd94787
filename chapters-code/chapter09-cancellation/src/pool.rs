//! Pools: the tables of things that are named by a key.
//!
//! A slab gives places and takes them back; a place that is free is used again. A pool adds who is meant.
//!
//! P1. Who holds a key finds the holder of the place only as long as it is the one that the key was made for.
//! P2. A place that was given back is used again, before a new one is made.

use slab::Slab;

use crate::key::Key;

/// A table.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    places: Slab<Place<T>>,
    /// How many holders there ever were.
    count: u64,
}

#[derive(Debug)]
struct Place<T> {
    serial: u64,
    content: T,
}

impl<T> Pool<T> {
    /// An empty table.
    pub(crate) const fn new() -> Pool<T> {
        Pool {
            places: Slab::new(),
            count: 0,
        }
    }

    /// Takes a place, for what `make` makes when it is told its key.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.count += 1;
        let serial = self.count;
        let place = self.places.vacant_entry();
        let index = place.key();
        let key = Key { index, serial };
        let content = make(key);
        place.insert(Place { serial, content });
        key
    }

    /// What the key names, if it is still there.
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index)?;
        (place.serial == key.serial).then_some(&place.content)
    }

    /// The same, to change it.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index)?;
        (place.serial == key.serial).then_some(&mut place.content)
    }

    /// Gives the place back. What was there, if it was still there.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.places.remove(key.index).content)
    }

    /// How many places are taken.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Everything, the oldest first.
    pub(crate) fn oldest_first(&self) -> Vec<(Key, &T)> {
        let key = |index, serial| Key { index, serial };
        let all = self.places.iter();
        let mut all: Vec<_> = all
            .map(|(index, place)| (key(index, place.serial), &place.content))
            .collect();
        all.sort_by_key(|(key, _)| key.serial);
        all
    }
}

#[cfg(test)]
#[path = "../../chapter05-kernel/tests/checks/pool_here.rs"]
mod tests;
