//! Exercise 2 of chapter 5, rebuild: the pool without its heart.
//!
//! Everything is here but the bodies of four functions. Write them again, from the page rather than from the chapter's
//! code. A [`Slab`] gives places; it is on docs.rs, and you need `vacant_entry`, `get`, `get_mut` and `remove` of it.

#![allow(clippy::todo, unused)] // until your code stands here

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
        todo!("take a place, and note who is there now")
    }

    /// What the key names, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        todo!("find who is meant, and nobody else")
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        todo!("the same")
    }

    /// Gives the place back. What was there, if it was still there.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        todo!("give the place back, if it is the holder's own key")
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.places.len()
    }
}
