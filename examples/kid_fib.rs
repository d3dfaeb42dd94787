//! The kid computes, and nobody else gets to run: not the friends, not the parent, and no signal is answered. The monitor is,
//! because it has a thread of its own.
//!
//! `kid_nagging.rs` is how to do it: long computations go into other threads.

use curio::{Error, Event, Kernel, Result, TaskGroup, sleep, spawn, timeout_after};
use std::hint::black_box;
use std::time::Duration;

#[cfg(unix)]
use curio::monitor::Monitor;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid computes Fibonacci numbers, and lets nobody else run. Look at it from
another terminal:

  cargo run -p curio-monitor

Usage: cargo run --example kid_fib

Options:
  --help  show this help
";

const SEC: Duration = Duration::from_secs(1);

fn fib(n: u64) -> u64 {
    if n < 2 { 1 } else { fib(n - 1) + fib(n - 2) }
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
            let mut total = 0;
            for n in 0..60 {
                total += black_box(fib(n));
            }
            println!("It is {total}");
            Ok(())
        })
        .await
}

async fn parent() -> Result<()> {
    let start = Event::new();
    let kid = spawn(kid(start.clone()));
    sleep(5 * SEC).await?;

    println!("Yes, go play");
    start.set();
    kid.join().await?;
    println!("Leaving!");
    Ok(())
}

fn main() -> Result<()> {
    arguments::read(HELP, |given| given.is_empty().then_some(()));
    let builder = Kernel::builder();
    #[cfg(unix)]
    let builder = builder.monitor(Monitor::new());
    builder.build()?.run(parent())
}
