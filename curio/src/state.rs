//! What a task is doing, as handles, the monitor and reports show it.

use std::fmt;

use crate::waits::Label;

/// What a task is doing.
///
/// ```
/// use curio::{run, spawn, State};
///
/// run(async {
///     let kid = spawn(async {});
///     assert_eq!(kid.state(), State::Ready);
///     assert_eq!(kid.state().as_str(), "READY");
///     kid.join().await
/// })
/// .unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// On the ready queue, or about to be.
    Ready,
    /// Running at this very moment.
    Running,
    /// Waiting for something.
    Waiting(Label),
    /// It has ended.
    Terminated,
}

impl State {
    /// The name that Python Curio's monitor shows: `READY`, `TIME_SLEEP`, `TASK_JOIN`, ...
    ///
    /// ```
    /// assert_eq!(curio::State::Running.as_str(), "RUNNING");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Ready => "READY",
            State::Running => "RUNNING",
            State::Waiting(label) => label.as_str(),
            State::Terminated => "TERMINATED",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
