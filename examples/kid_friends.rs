//! The kid has friends over: tasks that end together, in a task group.
//!
//! The parent knows nothing of the friends and cancels the kid alone, as in `kid.rs`. They go home nevertheless, before
//! the parent leaves: no task of a group outlives it.

use curio::{Clock, Error, Kernel, Result, TaskGroup, sleep, spawn, timeout_after};
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid who does not want to leave, with three friends, and the parent.

Usage: cargo run --example kid_friends -- [--virtual]

Options:
  --virtual  use a clock that jumps to the next moment at which something
             happens: the same 25 seconds pass at once
  --help     show this help
";

const SEC: Duration = Duration::from_secs(1);

async fn countdown(n: u32) -> Result<()> {
    for i in (1..=n).rev() {
        println!("T-minus {i}");
        sleep(SEC).await?;
    }
    Ok(())
}

async fn friend(name: &str) -> Result<()> {
    println!("Hi, my name is {name}");
    println!("Playing Minecraft");
    match sleep(1000 * SEC).await {
        Err(e) if e.is_cancellation() => {
            println!("{name} going home");
            Err(e)
        }
        played => played,
    }
}

async fn kid() -> Result<()> {
    println!("Building the Millenium Falcon in Minecraft");
    TaskGroup::all()
        .scope(async |friends| {
            friends.spawn(friend("Max"));
            friends.spawn(friend("Lillian"));
            friends.spawn(friend("Thomas"));
            match sleep(1000 * SEC).await {
                Err(e) if e.is_cancellation() => {
                    println!("Fine. Saving my work.");
                    Err(e)
                }
                played => played,
            }
        })
        .await
}

async fn parent() -> Result<()> {
    let kid = spawn(kid());
    sleep(5 * SEC).await?;

    println!("Let's go");
    let count = spawn(countdown(10));
    count.join().await?;

    println!("We're leaving!");
    match timeout_after(10 * SEC, kid.join()).await {
        Err(Error::Timeout(_)) => {
            println!("I warned you!");
            kid.cancel().await?;
        }
        joined => joined?,
    }
    println!("Leaving!");
    Ok(())
}

fn main() -> Result<()> {
    let clock = arguments::read(HELP, |given| match given {
        [] => Some(Clock::Real),
        ["--virtual"] => Some(Clock::Virtual),
        _ => None,
    });
    Kernel::builder().clock(clock).build()?.run(parent())
}
