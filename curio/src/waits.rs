//! Wait nodes: one for each operation that waits.
//!
//! The node is the only place that knows who waits, below which scope, at which line, for what, and what has been armed
//! to end the wait. Interruption, `ps`, deadlock reports and lossless hand-off all work through it. Nodes sit in a pool
//! and are linked by number, so that taking one off any list needs no pointer and no `unsafe`; intrusive pinned nodes
//! were the alternative.
//!
//! W1. A node exists exactly while an operation waits: after its first `Pending`, before it resolves or is dropped.
//! W2. Each node is on the list of its owner (its scope, or its task where it is below no scope).
//! W3. A node is on the list of a primitive exactly while `armed` says so; whoever chooses it to be woken takes it off
//!     and sets it to `Notified`. An operation that is dropped in that state passes the wake-up on.

use std::panic::Location;
use std::task::Waker;

use crate::key::{Key, NONE};
use crate::pool::Pool;
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
            armed: Armed::Nothing,
        }
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

/// All nodes, and the lists of the primitives.
pub(crate) struct Waits {
    nodes: Pool<Wait>,
    lists: Pool<List>,
}

impl Waits {
    pub(crate) fn new(kernel: Key) -> Waits {
        Waits {
            nodes: Pool::new(kernel),
            lists: Pool::new(kernel),
        }
    }

    /// Takes a node, to be filled in.
    #[inline(always)]
    pub(crate) fn claim(&mut self) -> Key {
        self.nodes.claim()
    }

    /// Gives a node back. It is to be taken off its lists still, and its waker is to be taken out.
    #[inline(always)]
    pub(crate) fn release(&mut self, index: u32) -> &mut Wait {
        self.nodes.release(index)
    }

    /// The place of the node that the key names, if its operation still waits.
    #[inline]
    pub(crate) fn find(&self, wait: Key) -> Option<u32> {
        self.nodes.find(wait)
    }

    /// The key of a node.
    pub(crate) fn key(&self, index: u32) -> Option<Key> {
        self.nodes.key(index)
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Wait {
        self.nodes.get(index)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Wait {
        self.nodes.get_mut(index)
    }

    /// How many operations wait.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Puts a node at the front of its owner's list (W2). The node itself is to be told which is `next`.
    #[inline(always)]
    pub(crate) fn link(&mut self, index: u32, head: &mut u32) -> u32 {
        let next = std::mem::replace(head, index);
        if next != NONE {
            self.get_mut(next).prev = index;
        }
        next
    }

    /// Unlinks a node with these neighbours from its owner's list. True if it was the first: then `next` is now.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, next: u32, prev: u32) -> bool {
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
        if prev == NONE {
            entry.head = index;
        } else if let Armed::List { next, .. } = &mut self.nodes.get_mut(prev).armed {
            *next = index;
        }
        Armed::List {
            list,
            next: NONE,
            prev,
        }
    }

    /// Takes the node off the list of its primitive (W3).
    pub(crate) fn delist(&mut self, index: u32) {
        let Armed::List { list, next, prev } = self.get(index).armed else {
            return;
        };
        self.get_mut(index).armed = Armed::Nothing;
        let entry = self.lists.get_mut(list);
        match prev {
            NONE => entry.head = next,
            prev => {
                if let Armed::List { next: n, .. } = &mut self.nodes.get_mut(prev).armed {
                    *n = next;
                }
            }
        }
        match next {
            NONE => self.lists.get_mut(list).tail = prev,
            next => {
                if let Armed::List { prev: p, .. } = &mut self.nodes.get_mut(next).armed {
                    *p = prev;
                }
            }
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
        let chosen = &mut self.nodes.get_mut(index).armed;
        if let Armed::List { next, .. } = std::mem::replace(chosen, Armed::Notified) {
            let entry = self.lists.get_mut(list);
            entry.head = next;
            if next == NONE {
                entry.tail = NONE;
            } else if let Armed::List { prev, .. } = &mut self.nodes.get_mut(next).armed {
                *prev = NONE;
            }
        }
        Some(index)
    }

    /// Frees the list of a primitive. Whoever still waits on it waits for nothing.
    pub(crate) fn remove_list(&mut self, list: u32) {
        while let Some(index) = self.first(list) {
            self.delist(index);
        }
        self.lists.release(list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes nodes on the owner's list `head`.
    fn nodes(waits: &mut Waits, head: &mut u32, count: usize) -> Vec<u32> {
        let make = |_| {
            let index = waits.claim().index();
            let next = waits.link(index, head);
            (waits.get_mut(index).next, waits.get_mut(index).prev) = (next, NONE);
            index
        };
        (0..count).map(make).collect()
    }

    fn listed(waits: &mut Waits, list: u32) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some(index) = waits.first(list) {
            waits.delist(index);
            all.push(index);
        }
        all
    }

    #[test]
    fn a_primitives_list_is_first_in_first_out() {
        let mut waits = Waits::new(Key::of_kernel(1));
        let nodes = nodes(&mut waits, &mut NONE.clone(), 5);
        let list = waits.add_list();
        let enlist = |waits: &mut Waits, index: u32| {
            let armed = waits.enlist(list, index);
            waits.get_mut(index).armed = armed;
        };
        nodes.iter().for_each(|&n| enlist(&mut waits, n));
        for n in [0, 2, 4] {
            waits.delist(nodes[n]);
        }
        enlist(&mut waits, nodes[0]);
        assert_eq!(listed(&mut waits, list), [nodes[1], nodes[3], nodes[0]]);
    }

    #[test]
    fn an_owners_list_loses_exactly_the_unlinked() {
        let mut waits = Waits::new(Key::of_kernel(1));
        let mut owner = NONE;
        let nodes = nodes(&mut waits, &mut owner, 4);
        for n in [1, 3, 0] {
            let &mut Wait { next, prev, .. } = waits.release(nodes[n]);
            if waits.unlink(next, prev) {
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
