//! What can go wrong.

use std::error::Error;
use std::fmt;

/// Nothing can ever happen again: every task waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock(String);

impl Deadlock {
    /// With a report of who waits for what.
    pub fn new(report: String) -> Deadlock {
        Deadlock(report)
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "deadlock: every task waits, and nothing can wake one{}",
            self.0
        )
    }
}

impl Error for Deadlock {}
