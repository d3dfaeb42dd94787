//! Asking a kernel's thread where it is, from another one.

use std::fmt;
use std::time::Duration;

use super::running::Thread;
use super::{Frame, Raw, symbols, unwind};

/// How often a thread is asked. Without unwinding, a sample has little more than the function that runs, and that may be one
/// of the standard library's: of several, one is in the task's own code.
const SAMPLES: usize = if cfg!(feature = "probe") { 1 } else { 16 };

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
        let thread = self.0.as_ref()?;
        let mut samples = vec![unwind::addresses(&thread.sample(timeout)?)];
        while samples.len() < SAMPLES
            && let Some(sample) = thread.sample(timeout)
        {
            samples.push(unwind::addresses(&sample));
        }
        Some(Raw::sampled(samples))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

/// The calls, the most recent last, of the sample that tells most of the task: as far as the kernel's run of it.
pub(super) fn frames(samples: &[Vec<u64>]) -> Vec<Frame> {
    let mut stacks = symbols::stacks(samples);
    let has_line = |stack: &Vec<Frame>| stack.iter().any(|frame| !frame.hidden && frame.line.is_some());
    let has_name = |stack: &Vec<Frame>| stack.iter().any(|frame| !frame.hidden);
    let most = stacks.iter().position(has_line);
    let most = most.or_else(|| stacks.iter().position(has_name)).unwrap_or(0);
    let mut frames = stacks.swap_remove(most);
    frames.reverse();
    frames
}
