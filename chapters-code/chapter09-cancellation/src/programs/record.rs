//! The run of a program, written down for the book's player.
//!
//! The kernel tells the trace itself, at each thing that it does: `Tables::note`.

use trace::{Clock, Trace};

use super::voice;
use crate::{Kernel, Result};

/// Runs the program silently in a new kernel, on the virtual clock, to the end. The trace of it, and how it ended.
pub fn record(seed: Option<u64>, start: impl FnOnce(&Kernel)) -> (String, Result<()>) {
    let kernel = super::report::kernel(seed);
    kernel.context.tables.borrow_mut().trace = Some(Trace::new(Clock::Virtual, seed));
    start(&kernel);
    let (ended, _) = voice::listen(|| kernel.run_all());
    let trace = kernel.context.tables.borrow_mut().trace.take();
    (
        trace.map_or(String::new(), |trace| trace.text().to_string()),
        ended,
    )
}
