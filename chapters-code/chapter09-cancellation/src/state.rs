//! What a task is doing, as handles and reports show it.

use crate::waits::Label;

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// In the ready queue, or about to be.
    Ready,
    /// Running at this very moment.
    Running,
    /// Waiting for something.
    Waiting(Label),
    /// It has ended.
    Terminated,
}

impl State {
    /// The name that `ps` shows.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Ready => "READY",
            State::Running => "RUNNING",
            State::Waiting(label) => label.as_str(),
            State::Terminated => "TERMINATED",
        }
    }
}
