//! The timers: an indexed 4-ary heap.
//!
//! Most timers are set and cancelled before they fire (a timeout around a read), so removal must be as cheap as
//! insertion and leave nothing behind. A `BTreeMap` costs ten times as much; a plain binary heap with dead entries keeps
//! every cancelled timeout until its time comes; a hierarchical wheel is as fast but rounds, and can name the next
//! deadline only roughly, which the virtual clock needs exactly. Four children per node make the heap flat: one cache
//! line holds the four siblings that a sift compares.
//!
//! T1. `heap[slots[k].position].key == k` for every key `k` in use.
//! T2. A parent is never later than its children, by (deadline, sequence): equal deadlines fire first in, first out.
//! T3. A cancelled or fired timer leaves nothing behind; its key may be used again.

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

#[derive(Clone, Copy)]
struct Entry {
    deadline: u64,
    // Compared by distance, so that it may wrap.
    sequence: u32,
    key: u32,
}

impl Entry {
    fn before(&self, other: &Entry) -> bool {
        self.deadline < other.deadline
            || self.deadline == other.deadline && (self.sequence.wrapping_sub(other.sequence) as i32) < 0
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
#[derive(Default)]
pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    sequence: u32,
}

const CHILDREN: usize = 4;

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The deadline of the timer that fires next.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.heap.first().map(|e| e.deadline)
    }

    /// When the timer fires.
    pub(crate) fn deadline(&self, key: TimerKey) -> u64 {
        self.heap[self.slots[key.0 as usize].position as usize].deadline
    }

    pub(crate) fn insert(&mut self, deadline: u64, target: Target) -> TimerKey {
        let position = self.heap.len();
        let slot = Slot {
            position: position as u32,
            target: target.pack(),
        };
        let key = match self.free.pop() {
            Some(key) => {
                self.slots[key as usize] = slot;
                key
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.sequence = self.sequence.wrapping_add(1);
        let entry = Entry {
            deadline,
            sequence: self.sequence,
            key,
        };
        self.heap.push(entry);
        // Among equals it is the last. So nearly always it is where it belongs: most timers are set for later than others.
        if position > 0 && deadline < self.heap[(position - 1) / CHILDREN].deadline {
            self.sift_up(position, entry);
        }
        TimerKey(key)
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: TimerKey) {
        let position = self.slots[key.0 as usize].position as usize;
        self.free.push(key.0);
        self.remove_at(position);
    }

    /// Takes out the next timer that is due at `now`.
    pub(crate) fn expire(&mut self, now: u64) -> Option<Target> {
        let first = self.heap.first()?;
        if first.deadline > now {
            return None;
        }
        let key = first.key;
        self.free.push(key);
        self.remove_at(0);
        Some(Target::unpack(self.slots[key as usize].target))
    }

    #[inline]
    fn remove_at(&mut self, position: usize) {
        if let Some(last) = self.heap.pop()
            && position != self.heap.len()
        {
            self.fill(position, last);
        }
    }

    /// The last entry takes the place, then moves to where it belongs.
    #[inline(never)]
    fn fill(&mut self, position: usize, last: Entry) {
        if position > 0 && last.before(&self.heap[(position - 1) / CHILDREN]) {
            self.sift_up(position, last);
        } else {
            self.sift_down(position, last);
        }
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.key as usize].position = position as u32;
    }

    fn sift_up(&mut self, mut position: usize, entry: Entry) {
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            let above = self.heap[parent];
            if !entry.before(&above) {
                break;
            }
            self.place(position, above);
            position = parent;
        }
        self.place(position, entry);
    }

    fn sift_down(&mut self, mut position: usize, entry: Entry) {
        loop {
            let first = position * CHILDREN + 1;
            let end = (first + CHILDREN).min(self.heap.len());
            let Some(children) = self.heap.get(first..end) else {
                break;
            };
            let Some((mut best, rest)) = children.split_first() else {
                break;
            };
            let mut at = first;
            for (i, child) in rest.iter().enumerate() {
                if child.before(best) {
                    best = child;
                    at = first + 1 + i;
                }
            }
            let best = *best;
            if !best.before(&entry) {
                break;
            }
            self.place(position, best);
            position = at;
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
        for i in 0..6 {
            timers.insert(1, Target::Scope(i));
        }
        let order: Vec<_> = (0..6).map(Target::Scope).collect();
        assert_eq!(drain(&mut timers, 1), order);
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
            prop_assert!(timers.slots.len() <= most, "keys are used again");
        }
    }
}
