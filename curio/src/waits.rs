//! Wait nodes: one for each operation that waits.
//!
//! The node is the only place that knows who waits, below which scope, at which line, for what, and what has been armed
//! to end the wait. Interruption, `ps`, deadlock reports and lossless hand-off all work through it. Nodes sit in a table
//! and are linked by number, so that taking one off any list needs no pointer and no `unsafe`; intrusive pinned nodes
//! were the alternative. Each task has one in its own entry, see [`Entry`].
//!
//! Nearly every wait is a plain one: the task waits in nothing else, so the node is its own; there is no timeout around the
//! operation, no combinator that would want to be woken instead of the task, nobody who interrupts it, and nobody who looks
//! on. Each of its three steps is one function (`enlist_own` or `join_own`, `choose_own`, `leave_own`; for a socket `begin_own`,
//! `Tables::wake_reader`, `quit_own`) that either does all of it or finds that it is not so and has done nothing. Then the long
//! way is taken, on which everything is seen to. The short ways do not panic, and what is borrowed in vain is no error to
//! them: so they need no stack and nothing to tidy up.
//!
//! W1. A node is taken (not `Idle`) exactly while an operation waits: after its first `Pending`, before it resolves or is
//!     dropped.
//! W2. Each node is on the list of its owner: its scope, or its task where it is below no scope. Only the task's own node
//!     is on no list where it is below no scope; it is the oldest of the task then.
//! W3. A node is on the list of a primitive exactly while `armed` says so; whoever chooses it to be woken takes it off
//!     and sets it to `Notified`. An operation that is dropped in that state passes the wake-up on.
//! W4. Nobody but the operation itself gives its node back, as long as the task lives. So the key of the task does for its
//!     own node: who has it as the key of a wait has the node.
//! W5. A node that is armed with `OwnReader` or `OwnWriter` is in a plain wait: it is its task's own and below no scope, nobody is to
//!     be woken but the task, and nobody looks on. Who changes that (`disown`) arms it with `Reader` or `Writer` instead.

use std::panic::Location;
use std::task::Waker;

use crate::key::{Key, NONE};
use crate::pool::Pool;
use crate::readiness::Direction;
use crate::tables::{Entry, Slot};
use crate::timers::TimerKey;

/// What a task waits for, as the monitor and the reports show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(&'static &'static str);

impl Label {
    /// For the end of a sleep.
    pub const TIME_SLEEP: Label = Label(&"TIME_SLEEP");
    /// For the end of another task.
    pub const TASK_JOIN: Label = Label(&"TASK_JOIN");
    /// For a socket to become readable.
    pub const READ_WAIT: Label = Label(&"READ_WAIT");
    /// For a socket to become writable.
    pub const WRITE_WAIT: Label = Label(&"WRITE_WAIT");
    /// For a future that is not the library's.
    pub const FOREIGN_WAIT: Label = Label(&"FOREIGN_WAIT");

    /// A label for a primitive of your own.
    ///
    /// ```
    /// use curio::traps::Label;
    /// const DOOR_WAIT: Label = Label::new(&"DOOR_WAIT");
    /// assert_eq!(DOOR_WAIT.as_str(), "DOOR_WAIT");
    /// ```
    pub const fn new(name: &'static &'static str) -> Label {
        Label(name)
    }

    /// The text.
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

/// What ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Armed {
    /// No operation has the node.
    Idle,
    /// Only a waker.
    Nothing,
    /// It has happened: the operation was chosen to be woken (W3).
    Notified,
    Timer(TimerKey),
    /// A place among those who wait for the end of a task.
    Join {
        task: u32,
        next: u32,
        prev: u32,
    },
    /// A place on the list of a primitive.
    List {
        list: u32,
        next: u32,
        prev: u32,
    },
    /// The reader's or the writer's seat at a socket.
    Reader(u32),
    Writer(u32),
    /// The same in a plain wait (W5).
    OwnReader(u32),
    OwnWriter(u32),
}

/// Who was chosen to be woken from the list of a primitive.
pub(crate) enum Chosen {
    /// Nobody waits.
    Nobody,
    /// Somebody after whom nobody waits.
    Last,
    /// Somebody after whom others wait.
    First,
}

pub(crate) struct Wait {
    /// How to wake the operation if it was not polled with the task's own waker.
    /// (In a box: it is rare, and there is a node for every waiting operation.)
    pub(crate) foreign: Option<Box<Waker>>,
    pub(crate) place: &'static Location<'static>,
    pub(crate) label: Label,
    /// The epoch in which the operation began to wait.
    pub(crate) started: u64,
    pub(crate) task: u32,
    pub(crate) scope: u32,
    pub(crate) next: u32,
    pub(crate) prev: u32,
    pub(crate) armed: Armed,
}

impl Default for Wait {
    fn default() -> Wait {
        Wait {
            foreign: None,
            place: Location::caller(),
            label: Label::FOREIGN_WAIT,
            started: 0,
            task: NONE,
            scope: NONE,
            next: NONE,
            prev: NONE,
            armed: Armed::Idle,
        }
    }
}

impl Wait {
    /// Whether no operation has the node.
    #[inline(always)]
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.armed, Armed::Idle)
    }

    /// Whether this is a plain wait for a socket (W5).
    #[inline(always)]
    pub(crate) fn is_own_seat(&self, direction: Direction) -> bool {
        match direction {
            Direction::Read => matches!(self.armed, Armed::OwnReader(_)),
            Direction::Write => matches!(self.armed, Armed::OwnWriter(_)),
        }
    }

    /// The wait is no plain one any more (W5).
    pub(crate) fn disown(&mut self) {
        self.armed = match self.armed {
            Armed::OwnReader(source) => Armed::Reader(source),
            Armed::OwnWriter(source) => Armed::Writer(source),
            other => other,
        }
    }

    /// Whether the operation was chosen to be woken (W3).
    #[inline(always)]
    pub(crate) fn is_notified(&self) -> bool {
        matches!(self.armed, Armed::Notified)
    }

    /// Sets the next on the list of a primitive.
    #[inline(always)]
    fn set_next(&mut self, node: u32) {
        if let Armed::List { next, .. } = &mut self.armed {
            *next = node;
        }
    }

    /// Sets the one before likewise.
    #[inline(always)]
    fn set_prev(&mut self, node: u32) {
        if let Armed::List { prev, .. } = &mut self.armed {
            *prev = node;
        }
    }

    /// Whether the node, which has this place, belongs on a list of its owner (W2).
    #[inline(always)]
    pub(crate) fn is_linked(&self, index: u32) -> bool {
        self.scope != NONE || self.task != index
    }
}

/// The head of a doubly linked list of nodes.
struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> List {
        List {
            head: NONE,
            tail: NONE,
        }
    }
}

/// All tasks and nodes, and the lists of the primitives.
pub(crate) struct Waits {
    pub(crate) entries: Pool<Entry>,
    lists: Pool<List>,
}

impl Waits {
    pub(crate) fn new(kernel: Key) -> Waits {
        Waits {
            entries: Pool::new(kernel),
            lists: Pool::new(kernel),
        }
    }

    /// Makes an entry for a task.
    #[inline]
    pub(crate) fn add_task(&mut self, slot: Slot) -> Key {
        let (key, entry) = self.entries.claim_mut();
        // It is empty (`release`): there is nothing to drop.
        std::mem::forget(entry.slot.replace(slot));
        entry.wait.task = key.index();
        key
    }

    /// Makes an entry for an operation of a task that waits in others already.
    #[cold]
    #[inline(never)]
    pub(crate) fn add_node(&mut self, task: u32) -> Key {
        let key = self.entries.claim();
        self.get_mut(key.index()).task = task;
        key
    }

    /// Gives back an entry, in which there is neither a task nor an operation any more.
    pub(crate) fn release(&mut self, index: u32) {
        let entry = self.entries.release(index);
        debug_assert!(entry.slot.is_none() && entry.wait.is_idle());
        debug_assert!(entry.first_wait == NONE && entry.root == NONE && entry.wait.foreign.is_none());
    }

    /// The place of the node that the key names, if its operation still waits (W4).
    #[inline]
    pub(crate) fn find(&self, wait: Key) -> Option<u32> {
        self.entries.find(wait)
    }

    #[inline]
    pub(crate) fn entry(&self, index: u32) -> &Entry {
        self.entries.get(index)
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, index: u32) -> &mut Entry {
        self.entries.get_mut(index)
    }

    /// The task at this place, if there is one.
    #[inline]
    pub(crate) fn task(&self, task: u32) -> Option<&Slot> {
        self.entries.try_get(task)?.slot.as_ref()
    }

    #[inline]
    pub(crate) fn task_mut(&mut self, task: u32) -> Option<&mut Slot> {
        self.entries.try_get_mut(task)?.slot.as_mut()
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Wait {
        &self.entries.get(index).wait
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Wait {
        &mut self.entries.get_mut(index).wait
    }

    /// How many operations wait. It counts them.
    pub(crate) fn len(&self) -> usize {
        let nodes = self.entries.iter().map(|(_, entry)| &entry.wait);
        nodes.filter(|wait| !wait.is_idle()).count()
    }

    /// Puts a node at the front of its owner's list, before `next` (W2).
    #[inline]
    pub(crate) fn link(&mut self, index: u32, next: u32) {
        if next != NONE {
            self.get_mut(next).prev = index;
        }
        let wait = self.get_mut(index);
        (wait.next, wait.prev) = (next, NONE);
    }

    /// Unlinks a node from its owner's list. True if it was the first: then its next is now.
    #[inline]
    pub(crate) fn unlink(&mut self, index: u32) -> bool {
        let &Wait { next, prev, .. } = self.get(index);
        if next != NONE {
            self.get_mut(next).prev = prev;
        }
        if prev != NONE {
            self.get_mut(prev).next = next;
        }
        prev == NONE
    }

    /// Makes an empty list.
    pub(crate) fn add_list(&mut self) -> u32 {
        let list = self.lists.claim().index();
        *self.lists.get_mut(list) = List::default();
        list
    }

    /// The number by which activations know a list.
    pub(crate) fn list_number(&self, list: u32) -> u64 {
        self.lists.key(list).map_or(0, |key| u64::from(key.serial()))
    }

    /// Puts a node at the end of a list.
    pub(crate) fn enlist(&mut self, list: u32, index: u32) -> Armed {
        let entry = self.lists.get_mut(list);
        let prev = std::mem::replace(&mut entry.tail, index);
        match prev {
            NONE => entry.head = index,
            prev => self.get_mut(prev).set_next(index),
        }
        Armed::List {
            list,
            next: NONE,
            prev,
        }
    }

    /// A task begins to wait in its own node, at the end of a list, if the node is free. If not, nothing has happened.
    #[inline(always)]
    pub(crate) fn enlist_own(
        &mut self,
        task: u32,
        list: u32,
        label: Label,
        place: &'static Location<'static>,
        epoch: &u64,
    ) -> bool {
        let (Some(entry), Some(ends)) = (self.entries.try_get_mut(task), self.lists.try_get_mut(list)) else {
            return false;
        };
        let (next, prev) = (NONE, ends.tail);
        if !entry.begin_wait(Armed::List { list, next, prev }, label, place, epoch) {
            return false;
        }
        ends.tail = task;
        // NONE is no place.
        match self.entries.try_get_mut(prev) {
            None => ends.head = task,
            Some(entry) => entry.wait.set_next(task),
        }
        true
    }

    /// The same for something that is on no list.
    #[inline(always)]
    pub(crate) fn begin_own(
        &mut self,
        task: u32,
        armed: Armed,
        label: Label,
        place: &'static Location<'static>,
        epoch: &u64,
    ) -> bool {
        let entry = self.entries.try_get_mut(task);
        entry.is_some_and(|entry| entry.begin_wait(armed, label, place, epoch))
    }

    /// As `choose_first`, if that is a task's own node and nobody but the task is to be woken, which `queue` does. None:
    /// it is not so, and nothing has happened.
    #[inline(always)]
    pub(crate) fn choose_own(
        &mut self,
        list: u32,
        queue: impl FnOnce(u32, &mut Slot) -> bool,
    ) -> Option<Chosen> {
        let ends = self.lists.try_get_mut(list)?;
        let task = ends.head;
        // NONE is no place.
        let Some(Entry { slot, wait, .. }) = self.entries.try_get_mut(task) else {
            return Some(Chosen::Nobody);
        };
        let Armed::List { next, .. } = wait.armed else {
            return None;
        };
        if wait.task != task || wait.foreign.is_some() || !queue(task, slot.as_mut()?) {
            return None;
        }
        wait.armed = Armed::Notified;
        ends.head = next;
        Some(match self.entries.try_get_mut(next) {
            None => {
                ends.tail = NONE;
                Chosen::Last
            }
            Some(entry) => {
                entry.wait.set_prev(NONE);
                Chosen::First
            }
        })
    }

    /// Lets the task wait for the end of another, if it waits in nothing else and nobody waits for that end yet. If not, nothing
    /// has happened.
    #[inline(always)]
    pub(crate) fn join_own(
        &mut self,
        task: u32,
        target: Key,
        place: &'static Location<'static>,
        epoch: u64,
    ) -> bool {
        if !self.entries.try_get(task).is_some_and(Entry::may_wait) {
            return false;
        }
        let Some(Entry { slot: Some(slot), .. }) = self.entries.find_mut(target) else {
            return false;
        };
        if slot.first_joiner != NONE {
            return false;
        }
        slot.first_joiner = task;
        let wait = self.get_mut(task);
        wait.place = place;
        wait.label = Label::TASK_JOIN;
        wait.started = epoch;
        wait.scope = NONE;
        wait.armed = Armed::Join {
            task: target.index(),
            next: NONE,
            prev: NONE,
        };
        true
    }

    /// The wait of a task in its own node is over, if it was notified, nothing else is to be disarmed, and either nobody has been
    /// interrupted since `epoch`, or never this task. If not, nothing has happened.
    #[inline(always)]
    pub(crate) fn leave_own(&mut self, task: u32, epoch: u64) -> bool {
        let Some(entry) = self.entries.try_get_mut(task) else {
            return false;
        };
        let wait = &mut entry.wait;
        let is_plain = wait.is_notified() && wait.scope == NONE && wait.foreign.is_none();
        // A task that was never interrupted is owed nothing, whoever else was.
        if !is_plain || wait.started != epoch && entry.slot.as_ref().is_none_or(|slot| slot.hot != 0) {
            return false;
        }
        wait.armed = Armed::Idle;
        true
    }

    /// The same for a plain wait for a socket, whose seat somebody else sees to.
    #[inline(always)]
    pub(crate) fn quit_own(&mut self, index: u32, direction: Direction, epoch: u64) -> bool {
        let Some(Entry { wait, .. }) = self.entries.try_get_mut(index) else {
            return false;
        };
        if !wait.is_own_seat(direction) || wait.started != epoch {
            return false;
        }
        wait.armed = Armed::Idle;
        true
    }

    /// Takes a node with these neighbours off the list of its primitive (W3).
    pub(crate) fn delist(&mut self, list: u32, next: u32, prev: u32) {
        match prev {
            NONE => self.lists.get_mut(list).head = next,
            prev => self.get_mut(prev).set_next(next),
        }
        match next {
            NONE => self.lists.get_mut(list).tail = prev,
            next => self.get_mut(next).set_prev(prev),
        }
    }

    /// The node that has waited longest on a primitive's list.
    pub(crate) fn first(&self, list: u32) -> Option<u32> {
        let head = self.lists.get(list).head;
        (head != NONE).then_some(head)
    }

    /// Chooses the node that has waited longest on a primitive's list: takes it off and notes that it was notified (W3).
    #[inline]
    pub(crate) fn choose_first(&mut self, list: u32) -> Option<u32> {
        let index = self.first(list)?;
        let chosen = &mut self.entries.get_mut(index).wait.armed;
        if let Armed::List { next, .. } = std::mem::replace(chosen, Armed::Notified) {
            let entry = self.lists.get_mut(list);
            entry.head = next;
            match next {
                NONE => entry.tail = NONE,
                next => self.get_mut(next).set_prev(NONE),
            }
        }
        Some(index)
    }

    /// Frees the list of a primitive. Whoever still waits on it waits for nothing.
    pub(crate) fn remove_list(&mut self, list: u32) {
        while let Some(index) = self.choose_first(list) {
            self.get_mut(index).armed = Armed::Nothing;
        }
        self.lists.release(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(waits: &mut Waits, count: usize) -> Vec<u32> {
        (0..count).map(|_| waits.add_node(0).index()).collect()
    }

    fn enlist(waits: &mut Waits, list: u32, index: u32) {
        let armed = waits.enlist(list, index);
        waits.get_mut(index).armed = armed;
    }

    fn delist(waits: &mut Waits, index: u32) {
        let armed = std::mem::replace(&mut waits.get_mut(index).armed, Armed::Idle);
        let Armed::List { list, next, prev } = armed else {
            panic!("it is on no list");
        };
        waits.delist(list, next, prev);
    }

    fn listed(waits: &mut Waits, list: u32) -> Vec<u32> {
        std::iter::from_fn(|| waits.choose_first(list)).collect()
    }

    #[test]
    fn a_primitives_list_is_first_in_first_out() {
        let mut waits = Waits::new(Key::of_kernel(1));
        let nodes = nodes(&mut waits, 5);
        let list = waits.add_list();
        nodes.iter().for_each(|&n| enlist(&mut waits, list, n));
        for n in [0, 2, 4] {
            delist(&mut waits, nodes[n]);
        }
        enlist(&mut waits, list, nodes[0]);
        assert_eq!(listed(&mut waits, list), [nodes[1], nodes[3], nodes[0]]);
    }

    #[test]
    fn an_owners_list_loses_exactly_the_unlinked() {
        let mut waits = Waits::new(Key::of_kernel(1));
        let nodes = nodes(&mut waits, 4);
        let mut owner = NONE;
        for &index in &nodes {
            waits.link(index, std::mem::replace(&mut owner, index));
        }
        for n in [1, 3, 0] {
            let next = waits.get(nodes[n]).next;
            if waits.unlink(nodes[n]) {
                owner = next;
            }
        }
        assert_eq!(owner, nodes[2]);
        assert_eq!((waits.get(owner).next, waits.get(owner).prev), (NONE, NONE));
    }

    #[test]
    fn a_node_is_small() {
        assert!(size_of::<Wait>() <= 64, "{}", size_of::<Wait>());
    }
}
