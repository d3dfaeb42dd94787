//! The kid and the parent on tokio, where an aborted kid cannot await its goodbye.
//!
//! `abort` drops the kid where it stands. Its destructors run, but a destructor cannot `.await`. It can only start
//! another task that saves the work, for which nobody waits: `Saved.` is never printed.
//!
//! An orderly end on tokio is agreed upon beforehand, as on threads: the kid gets a channel or a `CancellationToken`, and
//! looks out for it in a `select!` wherever it waits.

use std::time::Duration;
use tokio::runtime;
use tokio::task::JoinError;
use tokio::time::{sleep, timeout};

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid who does not want to leave, and the parent who aborts it, on tokio.

Usage: cargo run --example kid_tokio --features tokio -- [--virtual]

Options:
  --virtual  use tokio's paused clock: the same 25 seconds pass at once
  --help     show this help
";

const SEC: Duration = Duration::from_secs(1);

async fn countdown(n: u32) {
    for i in (1..=n).rev() {
        println!("T-minus {i}");
        sleep(SEC).await;
    }
}

async fn kid() {
    println!("Building the Millenium Falcon in Minecraft");
    let _goodbye = Goodbye;
    sleep(1000 * SEC).await;
    // An aborted kid does not come to this line. It has only its destructors.
}

struct Goodbye;

impl Drop for Goodbye {
    fn drop(&mut self) {
        println!("Fine. Saving my work.");
        tokio::spawn(save()); // here is no `.await`
    }
}

async fn save() {
    sleep(SEC).await;
    println!("Saved.");
}

async fn parent() -> Result<(), JoinError> {
    let mut kid = tokio::spawn(kid());
    sleep(5 * SEC).await;

    println!("Let's go");
    let count = tokio::spawn(countdown(10));
    count.await?;

    println!("We're leaving!");
    match timeout(10 * SEC, &mut kid).await {
        Ok(joined) => joined?,
        Err(_) => {
            println!("I warned you!");
            kid.abort();
            let _aborted = kid.await; // waits until the kid was dropped
        }
    }
    println!("Leaving!");
    Ok(())
}

fn main() -> std::io::Result<()> {
    let paused = arguments::read(HELP, |given| match given {
        [] => Some(false),
        ["--virtual"] => Some(true),
        _ => None,
    });
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(paused)
        .build()?;
    runtime.block_on(parent()).map_err(std::io::Error::other)
}
