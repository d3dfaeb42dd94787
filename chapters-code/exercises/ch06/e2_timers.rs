//! Exercise 2 of chapter 6, rebuild: the timers without their heart.
//!
//! The heap can let a timer rise and sink. How one is set, fires and is taken out again was removed, and so was the function
//! through which all of them move. Write it again, from the page rather than from the chapter's code. You may add functions.
//! The invariants are those of the chapter:
//!
//! T1. `heap[places[key]].key == key` for every timer.
//! T2. A timer is never later than those below it, by deadline, then by the order in which they were set.
//! T3. A timer that was removed or has fired leaves nothing behind.

#![allow(clippy::todo, unused)] // until your code stands here

use slab::Slab;

/// Names a timer until it fires or is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerKey(usize);

#[derive(Debug)]
struct Entry<T> {
    deadline: u64,
    sequence: u64,
    key: usize,
    target: T,
}

/// The timers. `T` says whom a timer concerns.
#[derive(Debug)]
pub struct Timers<T> {
    heap: Vec<Entry<T>>,
    /// T1.
    places: Slab<usize>,
    sequence: u64,
}

/// How many are right below each. With four, the heap is flat, and each move goes a shorter way.
const CHILDREN: usize = 4;

impl<T> Timers<T> {
    /// No timers.
    pub fn new() -> Timers<T> {
        Timers {
            heap: Vec::new(),
            places: Slab::new(),
            sequence: 0,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// The deadline of the timer that fires next.
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// When a timer fires.
    pub fn deadline(&self, key: TimerKey) -> u64 {
        self.heap[self.places[key.0]].deadline
    }

    /// Sets a timer.
    pub fn insert(&mut self, deadline: u64, target: T) -> TimerKey {
        todo!("put it at the end, and let it rise")
    }

    /// Takes a timer out, before it has fired.
    pub fn remove(&mut self, key: TimerKey) {
        todo!("take it out, wherever it is")
    }

    /// Takes out the next timer that is due at `now`. Whom it concerns.
    pub fn expire(&mut self, now: u64) -> Option<T> {
        todo!("take out the first, if it is due")
    }

    /// Two timers change places.
    fn swap(&mut self, a: usize, b: usize) {
        todo!("two timers change places, and `places` knows")
    }

    /// What T2 goes by.
    fn order(&self, at: usize) -> (u64, u64) {
        (self.heap[at].deadline, self.heap[at].sequence)
    }

    fn sift_up(&mut self, mut at: usize) {
        while at > 0 {
            let above = (at - 1) / CHILDREN;
            if self.order(above) < self.order(at) {
                break;
            }
            self.swap(above, at);
            at = above;
        }
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let below = at * CHILDREN + 1;
            let below = below..(below + CHILDREN).min(self.heap.len());
            match below.min_by_key(|&child| self.order(child)) {
                Some(first) if self.order(first) < self.order(at) => {
                    self.swap(first, at);
                    at = first;
                }
                _ => break,
            }
        }
    }
}
