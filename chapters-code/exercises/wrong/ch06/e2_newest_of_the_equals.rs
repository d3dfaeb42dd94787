//! Exercise 2, wrong: of equal deadlines, the one that was set last.

#![allow(unused)] // as in the stub

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
        let at = self.heap.len();
        let key = self.places.insert(at);
        self.sequence += 1;
        self.heap.push(Entry {
            deadline,
            sequence: u64::MAX - self.sequence,
            key,
            target,
        });
        self.sift_up(at);
        TimerKey(key)
    }

    /// Takes a timer out, before it has fired.
    pub fn remove(&mut self, key: TimerKey) {
        self.remove_at(self.places[key.0]);
    }

    /// Takes out the next timer that is due at `now`. Whom it concerns.
    pub fn expire(&mut self, now: u64) -> Option<T> {
        match self.next_deadline() {
            Some(deadline) if deadline <= now => Some(self.remove_at(0)),
            _ => None,
        }
    }

    /// The last timer takes the place, and moves to where it belongs.
    fn remove_at(&mut self, at: usize) -> T {
        self.swap(at, self.heap.len() - 1);
        let entry = self.heap.remove(self.heap.len() - 1);
        self.places.remove(entry.key);
        if at < self.heap.len() {
            self.sift_up(at);
            self.sift_down(at);
        }
        entry.target
    }

    /// Two timers change places.
    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].key] = a;
        self.places[self.heap[b].key] = b;
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
