//! Exercise 2, wrong: the serial is the number of those who are there, and may come again.

#![allow(unused)] // as in the stub

use slab::Slab;

/// A place in a table, and who is meant there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The place.
    pub index: usize,
    /// The first holder of any place is 1, the next 2, and so on: no two holders have the same.
    pub serial: u64,
}

/// A table.
#[derive(Debug)]
pub struct Pool<T> {
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
    pub fn new() -> Pool<T> {
        Pool {
            places: Slab::new(),
            count: 0,
        }
    }

    /// Takes a place, for what `make` makes when it is told its key.
    pub fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let serial = self.places.len() as u64 + 1;
        let place = self.places.vacant_entry();
        let index = place.key();
        let key = Key { index, serial };
        let content = make(key);
        place.insert(Place { serial, content });
        key
    }

    /// What the key names, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index)?;
        (place.serial == key.serial).then_some(&place.content)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index)?;
        (place.serial == key.serial).then_some(&mut place.content)
    }

    /// Gives the place back. What was there, if it was still there.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        Some(self.places.remove(key.index).content)
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.len()
    }
}
