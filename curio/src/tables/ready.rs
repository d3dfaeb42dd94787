//! The ready queue: which tasks run, and in which order.

use super::{Next, QUEUED, Slot, Tables};
use crate::key::Key;

/// A queue of numbers: what is behind `first` in a vector. The room before that is used again when the queue is found empty, or
/// the vector is full. (A
/// ring would have to wrap every position. Here an entry is moved once, and that only if the queue is long.)
#[derive(Default)]
pub(crate) struct Queue {
    places: Vec<u32>,
    first: usize,
}

impl Queue {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.first
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.places.len() == self.first
    }

    /// Whether nothing was pushed after this number, which may have been popped since, and so many entries are `stale`: none.
    #[inline(always)]
    pub(crate) fn was_last(&self, number: u32, stale: usize) -> bool {
        let last = self.places.last();
        last.is_some_and(|last| (last ^ number) as usize | stale == 0)
    }

    /// The number at this place of the queue, counted from the front.
    pub(crate) fn get(&self, place: usize) -> u32 {
        self.places[self.first + place]
    }

    #[inline(always)]
    pub(super) fn push(&mut self, number: u32) {
        if !self.try_push(number) {
            self.push_slowly(number);
        }
    }

    /// The same, if there is room for it at once.
    #[inline(always)]
    pub(super) fn try_push(&mut self, number: u32) -> bool {
        let has_room = self.places.len() < self.places.capacity();
        if has_room {
            self.places.push(number);
        }
        has_room
    }

    /// Puts a task at the end, unless it is there, if there is room for it at once.
    #[inline(always)]
    pub(crate) fn queue(&mut self, task: u32, slot: &mut Slot) -> bool {
        if slot.is_queued() {
            return true;
        }
        let pushed = self.try_push(task);
        if pushed {
            slot.set_queued();
        }
        pushed
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<u32> {
        let Some(&first) = self.places.get(self.first) else {
            self.places.clear();
            self.first = 0;
            return None;
        };
        self.first += 1;
        Some(first)
    }

    /// Takes out the number at this place of the queue.
    fn remove(&mut self, place: usize) {
        self.places.remove(self.first + place);
    }

    /// Exchanges the first with another.
    fn put_first(&mut self, place: usize) {
        self.places.swap(self.first, self.first + place);
    }

    /// Makes room first. It moves fewer entries than were pushed since the last time.
    #[cold]
    #[inline(never)]
    fn push_slowly(&mut self, number: u32) {
        if self.first > self.places.len() / 2 {
            self.places.drain(..self.first);
            self.first = 0;
        } else {
            self.places.reserve(self.places.len().max(64));
        }
        self.places.push(number);
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

    /// Whether no task is ready, and there is nothing to be skipped either.
    #[inline]
    pub(crate) fn is_all_run(&self) -> bool {
        self.ready.is_empty()
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
        let mut queue = Queue::default();
        // With room before the first.
        (0..60).for_each(|number| queue.push(number));
        (0..60).for_each(|number| assert_eq!(queue.pop(), Some(number)));
        (0..10).for_each(|number| queue.push(number));
        for place in [9, 4, 0] {
            queue.remove(place);
        }
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(left, [1, 2, 3, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn a_queue_is_a_queue(steps in prop::collection::vec(any::<Option<u32>>(), 1..500)) {
            let mut queue = Queue::default();
            let mut model = VecDeque::new();
            for step in steps {
                match step {
                    Some(number) => {
                        queue.push(number);
                        model.push_back(number);
                    }
                    None => prop_assert_eq!(queue.pop(), model.pop_front()),
                }
                prop_assert_eq!(queue.len(), model.len());
                for (place, &number) in model.iter().enumerate() {
                    prop_assert_eq!(queue.get(place), number);
                }
            }
        }
    }
}
