//! Traps: what a task can ask the kernel for, and what the kernel answers.
//!
//! A task cannot reach into the kernel. It can only stop, and hand out a request. The request is called a *trap*, after
//! the instruction by which a program gives itself up to its operating system.

use std::fmt;

use crate::channel::{ChannelId, Message};
use crate::generator::Generator;
use crate::task::{Body, TaskId};

/// A request to the kernel. The variant says what for.
pub enum Trap {
    /// Nothing: let the others have their turns.
    Yield,
    /// Make a task of this body.
    Spawn {
        /// What to call it.
        name: &'static str,
        /// What it does.
        body: Body,
    },
    /// Go on when this task has ended.
    Join(TaskId),
    /// Put a message into the channel.
    Send(ChannelId, Message),
    /// Go on with a message out of the channel, when there is one.
    Receive(ChannelId),
}

/// The answer to a trap. It is given to the task when it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// It is done; there is nothing more to say. A new task begins with this, too.
    #[default]
    Done,
    /// The number of the task that was spawned.
    Spawned(TaskId),
    /// The message that was received.
    Received(Message),
}

impl Trap {
    /// The request to make a task of a generator.
    pub fn spawn<G>(name: &'static str, generator: G) -> Trap
    where
        G: Generator<Yield = Trap, Answer = Reply> + 'static,
    {
        let body = Box::new(generator);
        Trap::Spawn { name, body }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::Yield => write!(f, "yield"),
            Trap::Spawn { name, .. } => write!(f, "spawn {name}"),
            Trap::Join(task) => write!(f, "join task {task}"),
            Trap::Send(channel, message) => write!(f, "send {message:?} to channel {channel}"),
            Trap::Receive(channel) => write!(f, "receive from channel {channel}"),
        }
    }
}

impl fmt::Debug for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trap({self})")
    }
}
