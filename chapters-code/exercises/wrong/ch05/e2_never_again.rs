//! Exercise 2, wrong: it gives no place twice, and so needs no serials; it grows and grows.

#![allow(unused)] // as in the stub

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
    places: Vec<Option<T>>,
    /// How many holders there ever were.
    count: u64,
}

impl<T> Pool<T> {
    /// An empty table.
    pub fn new() -> Pool<T> {
        Pool {
            places: Vec::new(),
            count: 0,
        }
    }

    /// Takes a place, for what `make` makes when it is told its key.
    pub fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.count += 1;
        let serial = self.count;
        let index = self.places.len();
        let key = Key { index, serial };
        let content = make(key);
        self.places.push(Some(content));
        key
    }

    /// What the key names, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.places.get(key.index)?.as_ref()
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.places.get_mut(key.index)?.as_mut()
    }

    /// Gives the place back. What was there, if it was still there.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.places.get_mut(key.index)?.take()
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.iter().flatten().count()
    }
}
