//! The ready queue: which tasks run, and in which order.

use super::{Next, QUEUED, Tables};
use crate::key::Key;

/// A ring of numbers. Its size is a power of two, so that a position is wrapped by a mask, when it is used.
#[derive(Default)]
pub(crate) struct Ring {
    places: Vec<u32>,
    /// The position of the first, and the one after the last.
    head: usize,
    tail: usize,
}

impl Ring {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.tail.wrapping_sub(self.head)
    }

    /// The number at this place of the queue, counted from the front.
    pub(crate) fn get(&self, place: usize) -> u32 {
        debug_assert!(place < self.len());
        self.places[self.wrap(self.head.wrapping_add(place))]
    }

    #[inline]
    fn wrap(&self, position: usize) -> usize {
        position & self.places.len().wrapping_sub(1)
    }

    #[inline]
    pub(super) fn push(&mut self, number: u32) {
        if self.len() == self.places.len() {
            self.grow();
        }
        let last = self.wrap(self.tail);
        self.places[last] = number;
        self.tail = self.tail.wrapping_add(1);
    }

    #[inline]
    fn pop(&mut self) -> Option<u32> {
        if self.head == self.tail {
            return None;
        }
        let first = self.places[self.wrap(self.head)];
        self.head = self.head.wrapping_add(1);
        Some(first)
    }

    /// Takes out the number at this place of the queue.
    fn remove(&mut self, place: usize) {
        for at in place + 1..self.len() {
            let to = self.wrap(self.head.wrapping_add(at - 1));
            self.places[to] = self.get(at);
        }
        self.tail = self.tail.wrapping_sub(1);
    }

    /// Exchanges the first with another.
    fn put_first(&mut self, place: usize) {
        let (first, other) = (self.wrap(self.head), self.wrap(self.head.wrapping_add(place)));
        self.places.swap(first, other);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.len();
        if len > 0 {
            let first = self.wrap(self.head);
            self.places.rotate_left(first);
        }
        (self.head, self.tail) = (0, len);
        self.places.resize((2 * len).max(64), 0);
    }
}

impl Tables {
    /// Puts the task at the end of the ready queue, unless it is there (I1).
    #[inline]
    pub(crate) fn schedule(&mut self, task: u32) {
        if let Some(slot) = self.waits.task_mut(task)
            && !slot.has(QUEUED)
        {
            slot.id_and_flags |= QUEUED;
            self.ready.push(task);
        }
    }

    /// Takes the task that runs next off the ready queue. None if the queue is empty.
    #[inline(always)]
    pub(crate) fn next_ready(&mut self) -> Option<Next> {
        loop {
            let task = self.ready.pop()?;
            if let Some(next) = self.unqueue(task) {
                return Some(next);
            }
            self.skip_stale();
        }
    }

    /// An entry of the queue was stale (I1).
    #[cold]
    #[inline(never)]
    fn skip_stale(&mut self) {
        self.stale -= 1;
    }

    /// The task that was found in the queue, if it has its place there still (I1).
    #[inline(always)]
    fn unqueue(&mut self, task: u32) -> Option<Next> {
        let (key, entry) = self.waits.entries.place_mut(task)?;
        let slot = entry.slot.as_mut().filter(|slot| slot.is_queued())?;
        slot.id_and_flags &= !QUEUED;
        Some(Next {
            key: key?,
            cell: slot.cell.clone(),
            hot: slot.hot != 0,
        })
    }

    /// Takes the task off the ready queue again: it is to be run out of turn. False if it is not there.
    #[cold]
    pub(crate) fn unschedule(&mut self, task: Key) -> bool {
        let Some(task) = self.find_task(task).filter(|&task| self.slot(task).is_queued()) else {
            return false;
        };
        let Some(at) = (0..self.ready.len()).rfind(|&at| self.ready.get(at) == task) else {
            return false;
        };
        self.slot_mut(task).id_and_flags &= !QUEUED;
        self.ready.remove(at);
        if let Some(log) = &mut self.log {
            log.unqueued(at);
        }
        true
    }

    /// Draws the task that runs next, if the order is shuffled, and puts it in front.
    pub(crate) fn draw(&mut self) {
        let ready = self.ready.len();
        if let Some(random) = &mut self.shuffle
            && ready > 1
        {
            self.ready.put_first(random.below(ready));
        }
    }

    /// How many tasks are ready.
    pub(crate) fn ready_tasks(&self) -> usize {
        self.ready.len() - self.stale
    }
}

/// A small generator of random numbers (SplitMix64): seeded, so that a schedule can be repeated.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_number_can_be_taken_out_of_the_middle() {
        let mut ring = Ring::default();
        // Around the end of the places.
        (0..60).for_each(|number| ring.push(number));
        (0..60).for_each(|number| assert_eq!(ring.pop(), Some(number)));
        (0..10).for_each(|number| ring.push(number));
        for place in [9, 4, 0] {
            ring.remove(place);
        }
        let left: Vec<_> = std::iter::from_fn(|| ring.pop()).collect();
        assert_eq!(left, [1, 2, 3, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn a_ring_is_a_queue(steps in prop::collection::vec(any::<Option<u32>>(), 1..500)) {
            let mut ring = Ring::default();
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Some(number) => {
                        ring.push(number);
                        model.push_back(number);
                    }
                    None => prop_assert_eq!(ring.pop(), model.pop_front()),
                }
                prop_assert_eq!(ring.len(), model.len());
                for (place, &number) in model.iter().enumerate() {
                    prop_assert_eq!(ring.get(place), number);
                }
            }
        }
    }
}
