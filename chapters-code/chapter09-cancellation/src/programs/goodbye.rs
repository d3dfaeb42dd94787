//! The kid is called, and says its goodbye.

use super::programs::join2::join2;
use super::programs::{self, Watch, countdown, seconds};
use crate::{Error, Kernel, Result, Task, sleep, spawn};

/// The kid, who can be talked to: it saves its work when it must leave.
pub async fn kid(watch: Watch) -> Result<()> {
    watch.say("kid", "I build the Millennium Falcon.");
    match sleep(seconds(1000)).await {
        Err(error) if error.is_cancellation() => {
            watch.say("kid", "Fine. I save my work.");
            sleep(seconds(2)).await?; // it takes a while
            watch.say("kid", "Goodbye, Falcon!");
            Err(error)
        }
        result => result,
    }
}

/// Leaves, with this kid: calls it, and waits until it comes.
async fn leave_with(watch: Watch, kid: Task<()>) -> Result<()> {
    sleep(seconds(5)).await?;
    watch.say("parent", "Let's go!");
    spawn(countdown(watch, 3)).join().await?;
    watch.say("parent", "We're leaving!");
    kid.cancel().await?;
    match kid.join().await {
        Err(Error::Task(error)) if error.cancelled() => watch.say("parent", &format!("({error})")),
        other => other?,
    }
    watch.say("parent", "Leaving.");
    Ok(())
}

async fn parent() -> Result<()> {
    let watch = Watch::start();
    leave_with(watch, spawn(kid(watch))).await
}

/// The kid of chapter 6 knows nothing of being cancelled. It need not.
async fn parent_of_chapter_6() -> Result<()> {
    let watch = Watch::start();
    leave_with(watch, spawn(programs::kid(watch))).await
}

/// A kid that does two things at once.
async fn busy_kid(watch: Watch) -> Result<()> {
    let (falcon, xwing) = join2(
        async move {
            let falcon = sleep(seconds(1000)).await;
            watch.say("kid", "The Falcon is put away.");
            falcon
        },
        async move {
            let xwing = sleep(seconds(2000)).await;
            watch.say("kid", "The X-wing is put away.");
            xwing
        },
    )
    .await;
    falcon.and(xwing)
}

/// One flag is delivered once, to one of two operations. The other does not hear of it.
async fn parent_of_busy() -> Result<()> {
    let watch = Watch::start();
    leave_with(watch, spawn(busy_kid(watch))).await
}

/// Kid and parent.
pub fn family(kernel: &Kernel) {
    kernel.spawn(parent());
}

/// Chapter 6's kid, and parent.
pub fn old_kid(kernel: &Kernel) {
    kernel.spawn(parent_of_chapter_6());
}

/// A kid that does two things, and parent.
pub fn two_ears(kernel: &Kernel) {
    kernel.spawn(parent_of_busy());
}
