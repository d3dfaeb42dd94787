//! The kid has found out that the shape of the Millenium Falcon is based on the golden ratio, and computes.
//!
//! The numbers are as large, and computed as slowly, as if the kid wanted to be left alone. In the kernel's thread nobody would
//! hear of Ctrl-C any more. So it happens in a process, and when the kid is told to come, that process is killed in
//! the middle of it. The rest is `kid_signals`.

use curio::signal::{SIGINT, SIGTERM};
use curio::{
    Error, Event, Kernel, Result, SignalEvent, TaskGroup, run_in_process, sleep, spawn, timeout_after,
};
use std::process;
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid, who computes in a process of its own until you press Ctrl-C, with
three friends, and the parent. Press it once more, and everybody leaves at once.

Usage: cargo run --example kid_processes --features process

Options:
  --help  show this help
";

const SEC: Duration = Duration::from_secs(1);

/// As slow as it gets.
fn fib(n: u64) -> u64 {
    if n < 2 { 1 } else { fib(n - 1) + fib(n - 2) }
}

async fn build() -> Result<()> {
    let mut total = 0;
    for n in 0..50 {
        total += run_in_process(fib, n).await?;
    }
    println!("The Millenium Falcon has {total} blocks");
    Ok(())
}

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

async fn kid(start: Event) -> Result<()> {
    loop {
        println!("Can I play?");
        match timeout_after(SEC, start.wait()).await {
            Err(Error::Timeout(_)) => println!("Wha!?!"),
            allowed => break allowed?,
        }
    }

    println!("Building the Millenium Falcon in Minecraft");
    TaskGroup::all()
        .scope(async |friends| {
            friends.spawn(friend("Max"));
            friends.spawn(friend("Lillian"));
            friends.spawn(friend("Thomas"));
            match build().await {
                Err(e) if e.is_cancellation() => {
                    println!("Fine. Saving my work.");
                    Err(e)
                }
                built => built,
            }
        })
        .await
}

async fn parent() -> Result<()> {
    let goodbye = SignalEvent::new([SIGINT, SIGTERM])?;
    let start = Event::new();

    let kid = spawn(kid(start.clone()));
    sleep(5 * SEC).await?;

    println!("Yes, go play");
    start.set();

    goodbye.wait().await?;
    drop(goodbye); // lets go of Ctrl-C

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
    arguments::read(HELP, |given| given.is_empty().then_some(()));
    let kernel = Kernel::builder().exit_on([SIGINT]).build()?;
    let ended = kernel.run(parent());
    // All others are told, and awaited.
    kernel.shutdown()?;
    match ended {
        Err(Error::Exit(code)) => process::exit(code),
        ended => ended,
    }
}
