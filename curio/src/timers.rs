//! The timers: an indexed 4-ary heap.
//!
//! Most timers are set and cancelled before they fire (a timeout around a read), so removal must be as cheap as
//! insertion and leave nothing behind. A `BTreeMap` costs ten times as much; a plain binary heap with dead entries keeps
//! every cancelled timeout until its time comes; a hierarchical wheel is as fast but rounds, and can name the next
//! deadline only roughly, which the virtual clock needs exactly. Four children per node make the heap flat: one cache
//! line holds the four siblings that a sift compares.
//!
//! T1. `heap[slots[k].position].key() == k` for every key `k` in use.
//! T2. A parent is never later than its children, by (deadline, sequence): equal deadlines fire first in, first out.
//! T3. A cancelled or fired timer leaves nothing behind; its key may be used again.

use crate::key::NONE;

/// Names a timer until it fires or is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey(u32);

/// Whom a timer concerns when it fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A waiting operation.
    Wait(u32),
    /// A timeout scope.
    Scope(u32),
}

/// A timer, as one number: the deadline, then the sequence, then the key. So what is earlier is less, and no two are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u128);

impl Entry {
    fn new(deadline: u64, sequence: u32, key: u32) -> Entry {
        Entry(u128::from(deadline) << 64 | u128::from(sequence) << 32 | u128::from(key))
    }

    fn deadline(self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn key(self) -> u32 {
        self.0 as u32
    }
}

#[derive(Clone, Copy)]
struct Slot {
    position: u32,
    /// The target in one word: the highest bit tells a scope from a wait.
    target: u32,
}

const SCOPE: u32 = 1 << 31;

impl Target {
    fn pack(self) -> u32 {
        match self {
            Target::Wait(index) => index,
            Target::Scope(index) => index | SCOPE,
        }
    }

    fn unpack(word: u32) -> Target {
        match word & SCOPE {
            0 => Target::Wait(word),
            _ => Target::Scope(word & !SCOPE),
        }
    }
}

/// See the module's documentation.
pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    /// The first key that is not in use. The slot of such a key has the next one for its position.
    free: u32,
    sequence: u32,
}

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            heap: Vec::new(),
            slots: Vec::new(),
            free: NONE,
            sequence: 0,
        }
    }
}

const CHILDREN: usize = 4;
/// How many keys are made at once.
const MORE: u32 = 16;

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The deadline of the timer that fires next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.deadline())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// When the timer fires.
    pub(crate) fn deadline(&self, key: TimerKey) -> u64 {
        self.heap[self.slots[key.0 as usize].position as usize].deadline()
    }

    #[inline(never)]
    pub(crate) fn insert(&mut self, deadline: u64, target: Target) -> TimerKey {
        let (position, key) = (self.heap.len(), self.free);
        let has_room = position < self.heap.capacity() && self.sequence != u32::MAX;
        let Some(slot) = self.slots.get_mut(key as usize).filter(|_| has_room) else {
            return self.insert_slowly(deadline, target);
        };
        self.free = slot.position;
        slot.position = position as u32;
        slot.target = target.pack();
        self.sequence += 1;
        let entry = Entry::new(deadline, self.sequence, key);
        self.heap.push(entry);
        // Among equals it is the last. So nearly always it is where it belongs: most timers are set for later than others.
        if position > 0 && deadline < self.heap[(position - 1) / CHILDREN].deadline() {
            self.sift_up(position, entry);
        }
        TimerKey(key)
    }

    /// The same after room has been made.
    #[cold]
    #[inline(never)]
    fn insert_slowly(&mut self, deadline: u64, target: Target) -> TimerKey {
        self.heap.reserve(1);
        if self.sequence == u32::MAX {
            self.number_anew();
        }
        if self.free == NONE {
            // Some more at once, each free one naming the next.
            let (used, target) = (self.slots.len() as u32, 0);
            let slots = (used + 1..used + MORE).chain([NONE]);
            self.slots.extend(slots.map(|position| Slot { position, target }));
            self.free = used;
        }
        self.insert(deadline, target)
    }

    /// All sequences have been given away: those that are left are numbered from zero. (What is sorted is a heap.)
    fn number_anew(&mut self) {
        self.heap.sort_unstable();
        self.sequence = self.heap.len() as u32;
        for position in 0..self.heap.len() {
            let entry = self.heap[position];
            self.place(
                position,
                Entry::new(entry.deadline(), position as u32, entry.key()),
            );
        }
    }

    /// The key is not in use any more. Gives the position of its timer.
    #[inline]
    fn free(&mut self, key: u32) -> u32 {
        let slot = &mut self.slots[key as usize];
        std::mem::replace(&mut slot.position, std::mem::replace(&mut self.free, key))
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) {
        let position = self.free(key.0);
        self.remove_at(position as usize);
    }

    /// Takes out the next timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<Target> {
        let first = self.heap.first()?;
        if first.deadline() > now {
            return None;
        }
        let key = first.key();
        let target = self.slots[key as usize].target;
        self.free(key);
        self.remove_at(0);
        Some(Target::unpack(target))
    }

    #[inline]
    fn remove_at(&mut self, position: usize) {
        if let Some(last) = self.heap.pop()
            && position != self.heap.len()
        {
            self.fill(position, last);
        }
    }

    /// There is no entry at this position any more. The earliest below moves up, and so on to the bottom, where the last entry
    /// takes the free position, and moves up to where it belongs. (Nearly always it stays there. So this is less than to ask of
    /// each position on the way down whether it belongs there.)
    #[inline(never)]
    fn fill(&mut self, mut position: usize, last: Entry) {
        let mut first = position * CHILDREN + 1;
        while let Some(four @ &[a, b, c, d]) = self.heap.get(first..first + CHILDREN) {
            // Without a branch: nobody could foretell it.
            let (one, other) = (usize::from(b < a), 2 + usize::from(d < c));
            let child = if four[other] < four[one] { other } else { one };
            self.place(position, four[child]);
            position = first + child;
            first = position * CHILDREN + 1;
        }
        // Perhaps there are fewer than four at the bottom.
        let children = (first..self.heap.len()).map(|child| (self.heap[child], child));
        if let Some((earliest, child)) = children.min() {
            self.place(position, earliest);
            position = child;
        }
        self.sift_up(position, last);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.key() as usize].position = position as u32;
    }

    fn sift_up(&mut self, mut position: usize, entry: Entry) {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            let above = self.heap[parent];
            if above < entry {
                break;
            }
            self.place(position, above);
            position = parent;
        }
        self.place(position, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn drain(timers: &mut Timers, now: u64) -> Vec<Target> {
        std::iter::from_fn(|| timers.expire(now)).collect()
    }

    #[test]
    fn equal_deadlines_fire_in_the_order_of_setting() {
        let mut timers = Timers::default();
        for i in 0..100 {
            timers.insert(5, Target::Wait(i));
        }
        assert_eq!(drain(&mut timers, 4), []);
        let order: Vec<_> = (0..100).map(Target::Wait).collect();
        assert_eq!(drain(&mut timers, 5), order);
    }

    #[test]
    fn the_order_survives_the_wrapping_of_the_sequence() {
        let mut timers = Timers {
            sequence: u32::MAX - 2,
            ..Timers::default()
        };
        timers.insert(2, Target::Scope(6));
        for i in 0..6 {
            timers.insert(1, Target::Scope(i));
        }
        let order: Vec<_> = (0..7).map(Target::Scope).collect();
        assert_eq!(drain(&mut timers, 2), order);
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// Set a timer, so far ahead.
        Set(u64),
        /// Remove one of those that are set.
        Remove(prop::sample::Index),
        /// Let time pass.
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..50u64).prop_map(Step::Set),
            3 => any::<prop::sample::Index>().prop_map(Step::Remove),
            1 => (0..20u64).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 1..400)
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_map(steps in steps()) {
            let mut timers = Timers::default();
            let mut model: BTreeMap<(u64, u32), TimerKey> = BTreeMap::new();
            let (mut now, mut most) = (0, 0);
            for (number, step) in (0..).zip(steps) {
                match step {
                    Step::Set(delay) => {
                        let key = timers.insert(now + delay, Target::Wait(number));
                        model.insert((now + delay, number), key);
                    }
                    Step::Remove(which) if !model.is_empty() => {
                        let (&at, &key) = model.iter().nth(which.index(model.len())).unwrap();
                        prop_assert_eq!(timers.deadline(key), at.0);
                        timers.remove(key);
                        model.remove(&at);
                    }
                    Step::Remove(_) => {}
                    Step::Pass(time) => {
                        now += time;
                        let later = model.split_off(&(now + 1, 0));
                        let due: Vec<_> = model.keys().map(|key| Target::Wait(key.1)).collect();
                        model = later;
                        prop_assert_eq!(drain(&mut timers, now), due);
                    }
                }
                most = most.max(model.len());
                prop_assert_eq!(timers.next_deadline(), model.keys().next().map(|key| key.0));
                prop_assert_eq!(timers.len(), model.len());
            }
            prop_assert!(timers.slots.len() <= most.next_multiple_of(MORE as usize), "keys are used again");
        }
    }
}
