//! How the programs are run.

use crate::{Clock, Kernel};

/// A kernel on the virtual clock, whose schedule is that of the seed.
pub fn kernel(seed: Option<u64>) -> Kernel {
    let builder = Kernel::builder().clock(Clock::Virtual);
    match seed {
        Some(seed) => builder.seed(seed).build(),
        None => builder.build(),
    }
}

/// Runs to the end, and says how that was, if it was not good.
pub fn run(kernel: &Kernel) {
    if let Err(error) = kernel.run_all() {
        println!("{error}");
    }
}
