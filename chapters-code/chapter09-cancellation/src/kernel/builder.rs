//! The settings of a kernel.

use super::Kernel;
use crate::context::{Clock, Context};

/// The settings of a kernel; see [`Kernel::builder`].
#[derive(Debug)]
pub struct Builder {
    clock: Clock,
    seed: Option<u64>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            clock: Clock::Real,
            seed: None,
        }
    }

    /// Where the kernel takes the time from.
    pub fn clock(mut self, clock: Clock) -> Builder {
        self.clock = clock;
        self
    }

    /// Picks the next task at random. The same seed makes the same choices.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// The kernel.
    pub fn build(self) -> Kernel {
        Kernel {
            context: Context::new(self.clock, self.seed),
        }
    }
}
