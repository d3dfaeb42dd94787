//! A wrong turn: to look at the clock again and again.
//!
//! On the real clock this keeps the processor busy for the whole time. On the virtual clock the time never comes: it stands
//! still as long as a task is ready, and this one always is.

use std::time::Duration;

use crate::programs::{Watch, seconds};
use crate::{Error, Kernel, Result, clock, yield_now};

/// Sleeps, as long as it has the patience.
async fn look_for(duration: Duration) -> Result<()> {
    let end = clock() + duration;
    for _ in 0..1000 {
        if clock() >= end {
            return Ok(());
        }
        yield_now().await?;
    }
    Err(Error::other("I have looked 1000 times"))
}

async fn kid() -> Result<()> {
    let watch = Watch::start();
    watch.say("kid", "One second? I'll look at the clock.");
    match look_for(seconds(1)).await {
        Ok(()) => watch.say("kid", "It is over."),
        Err(error) => watch.say("kid", &format!("{error}.")),
    }
    Ok(())
}

/// The kid.
pub fn start(kernel: &Kernel) {
    kernel.spawn(kid());
}
