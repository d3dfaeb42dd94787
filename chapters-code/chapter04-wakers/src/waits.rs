//! Wait nodes: the notes that operations write while they wait.
//!
//! W1. A node exists exactly while an operation waits: after it has first returned `Pending`, until it is ready or
//!     dropped.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::task::TaskId;

/// What an operation waits for, as `ps` and the reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(&'static str);

impl Label {
    /// For the end of another task.
    pub const TASK_JOIN: Label = Label("TASK_JOIN");
    /// For a message from a channel.
    pub const RECEIVE_WAIT: Label = Label("RECEIVE_WAIT");
    /// For a future that has written no note.
    pub const FOREIGN_WAIT: Label = Label("FOREIGN_WAIT");

    /// A label for an operation of your own.
    pub const fn new(name: &'static str) -> Label {
        Label(name)
    }

    /// The text.
    pub const fn as_str(&self) -> &'static str {
        self.0
    }
}

/// A note: this task waits for this, and here is how to wake it.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) task: TaskId,
    pub(crate) label: Label,
    pub(crate) waker: Waker,
}

/// The number of a node. It is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaitKey(pub(crate) u64);

/// All notes, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub(crate) nodes: BTreeMap<WaitKey, Wait>,
    last: u64,
}

impl Waits {
    /// A number for a new node.
    pub(crate) fn claim(&mut self) -> WaitKey {
        self.last += 1;
        WaitKey(self.last)
    }

    /// Writes a note, or writes it anew.
    pub(crate) fn write(&mut self, key: WaitKey, wait: Wait) {
        self.nodes.insert(key, wait);
    }

    /// What the operations of a task wait for.
    pub(crate) fn of(&self, task: TaskId) -> impl Iterator<Item = Label> {
        let own = self.nodes.values().filter(move |wait| wait.task == task);
        own.map(|wait| wait.label)
    }
}
