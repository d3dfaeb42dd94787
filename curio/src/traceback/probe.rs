//! Asking a kernel's thread where it is, from another one.

use std::fmt;
use std::time::Duration;

use super::running::Thread;
use super::{Frame, Raw, symbols, unwind};

/// A kernel's thread, as those see it who want to know where it is.
pub(crate) struct Probe(Option<Thread>);

#[allow(dead_code)] // for the monitor
impl Probe {
    /// Of the calling thread.
    pub(crate) fn here() -> Probe {
        Probe(Thread::here())
    }

    /// The stack of what runs in the thread, if it answers in time. Not from the thread itself.
    pub(crate) fn running(&self, timeout: Duration) -> Option<Raw> {
        let sample = self.0.as_ref()?.sample(timeout)?;
        Some(Raw::sampled(unwind::addresses(&sample)))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

/// What is at these addresses, the most recent last, as far as the kernel's run of the task.
pub(super) fn frames(addresses: &[u64]) -> Vec<Frame> {
    let mut frames = symbols::frames(addresses);
    frames.reverse();
    frames
}
