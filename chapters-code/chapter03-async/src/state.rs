//! What a task is doing, as `ps` and the reports show it.

use std::fmt;

use crate::channel::ChannelId;
use crate::task::TaskId;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In the ready queue.
    Ready,
    /// Running at this very moment.
    Running,
    /// Waiting for something.
    Waiting(Label),
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// For the end of this task.
    TaskJoin(TaskId),
    /// For a message from this channel.
    ReceiveWait(ChannelId),
}

impl State {
    /// The name that `ps` shows.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Ready => "READY",
            State::Running => "RUNNING",
            State::Waiting(Label::TaskJoin(_)) => "TASK_JOIN",
            State::Waiting(Label::ReceiveWait(_)) => "RECEIVE_WAIT",
        }
    }
}

/// As a sentence about the task.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Ready => write!(f, "is ready"),
            State::Running => write!(f, "is running"),
            State::Waiting(Label::TaskJoin(task)) => write!(f, "waits for the end of task {task}"),
            State::Waiting(Label::ReceiveWait(channel)) => {
                write!(f, "waits for a message from channel {channel}")
            }
        }
    }
}
