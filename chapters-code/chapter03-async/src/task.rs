//! A task: a generator that the kernel looks after, and what the kernel knows about it.

use std::fmt;

use crate::generator::{Generator, Step};
use crate::state::State;
use crate::traps::{Reply, Trap};

/// The number of a task. It is never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskId(pub(crate) u64);

/// What a task does: any generator that hands out traps and is given replies.
pub type Body = Box<dyn Generator<Yield = Trap, Answer = Reply>>;

/// An entry of the task table.
pub struct Task {
    /// What we call it.
    pub name: &'static str,
    /// What it is doing.
    pub state: State,
    /// How many turns it has had.
    pub cycles: u64,
    /// Those who wait for its end.
    pub joiners: Vec<TaskId>,
    body: Body,
    reply: Reply,
}

impl Task {
    /// A task that has not begun.
    pub fn new(name: &'static str, body: Body) -> Task {
        Task {
            name,
            state: State::Ready,
            cycles: 0,
            joiners: Vec::new(),
            body,
            reply: Reply::Done,
        }
    }

    /// It may go on, with this answer.
    pub fn answer(&mut self, reply: Reply) {
        self.state = State::Ready;
        self.reply = reply;
    }

    /// Gives the body one turn, with the answer to its last trap.
    pub fn resume(&mut self) -> Step<Trap> {
        self.state = State::Running;
        self.cycles += 1;
        self.body.resume(std::mem::take(&mut self.reply))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("name", &self.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
