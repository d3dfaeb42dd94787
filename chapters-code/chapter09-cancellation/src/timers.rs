//! The timers: an indexed heap.
//!
//! The first timer of a heap is the next to fire. Each other one is no earlier than the one above it, and more is not
//! known, so to set a timer or to take one out means to move a few others. To take out one in the middle, one must know
//! where it is: so `places` says for each timer where in the heap it stands, and who moves a timer writes it down there.
//! (A heap without places would have to keep a timer that nobody waits for until its time comes.)
//!
//! T1. `heap[places[key]].key == key` for every timer.
//! T2. A timer is never later than those below it, by deadline, then by the order in which they were set: so equal
//!     deadlines fire first come, first served.
//! T3. A timer that was removed or has fired leaves nothing behind.

use slab::Slab;

/// Names a timer until it fires or is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimerKey(usize);

#[derive(Debug)]
struct Entry<T> {
    deadline: u64,
    sequence: u64,
    key: usize,
    target: T,
}

/// See the module's documentation. `T` says whom a timer concerns.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    heap: Vec<Entry<T>>,
    /// T1.
    places: Slab<usize>,
    sequence: u64,
}

/// How many are right below each. With four, the heap is flat, and each move goes a shorter way.
const CHILDREN: usize = 4;

impl<T> Timers<T> {
    /// No timers.
    pub(crate) fn new() -> Timers<T> {
        Timers {
            heap: Vec::new(),
            places: Slab::new(),
            sequence: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The deadline of the timer that fires next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// When a timer fires.
    pub(crate) fn deadline(&self, key: TimerKey) -> u64 {
        self.heap[self.places[key.0]].deadline
    }

    /// Sets a timer.
    pub(crate) fn insert(&mut self, deadline: u64, target: T) -> TimerKey {
        let at = self.heap.len();
        let key = self.places.insert(at);
        self.sequence += 1;
        self.heap.push(Entry {
            deadline,
            sequence: self.sequence,
            key,
            target,
        });
        self.sift_up(at);
        TimerKey(key)
    }

    /// Takes a timer out, before it has fired.
    pub(crate) fn remove(&mut self, key: TimerKey) {
        self.remove_at(self.places[key.0]);
    }

    /// Takes out the next timer that is due at `now`. Whom it concerns.
    pub(crate) fn expire(&mut self, now: u64) -> Option<T> {
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

#[cfg(test)]
#[path = "../../chapter06-time/tests/checks/timers_here.rs"]
mod tests;
