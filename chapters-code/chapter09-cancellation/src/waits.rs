//! Wait nodes: the notes that operations write while they wait.
//!
//! W1. A node exists exactly while an operation waits: after it has first returned `Pending`, until it is ready or
//!     dropped.
//! W2. A node has a timer exactly while one is set for it. Whoever takes the node away takes the timer out.

use std::task::Waker;

use crate::key::Key;
use crate::timers::TimerKey;

/// What an operation waits for, as `ps` and the reports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(&'static str);

impl Label {
    /// For the end of a sleep.
    pub const TIME_SLEEP: Label = Label("TIME_SLEEP");
    /// For the end of another task.
    pub const TASK_JOIN: Label = Label("TASK_JOIN");
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
    pub(crate) task: Key,
    pub(crate) label: Label,
    pub(crate) waker: Waker,
    /// W2.
    pub(crate) timer: Option<TimerKey>,
}

impl Wait {
    /// A note without a timer.
    pub(crate) fn new(task: Key, label: Label, waker: Waker) -> Wait {
        Wait {
            task,
            label,
            waker,
            timer: None,
        }
    }
}
