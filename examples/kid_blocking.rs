//! The end of the story: friends, signals, and a kid who does real work that blocks.
//!
//! The kid computes, and a computation awaits nothing. On the kernel's own thread it would hold up everybody: no friend could
//! play, no Ctrl-C would be heard. In a thread it is out of the way. That thread cannot be stopped; but the kid leaves it at
//! once when it is told to, and nobody waits for it: not the parent, not the second Ctrl-C, not the end of the program.

use curio::{Error, Event, Kernel, Result, TaskGroup, run_in_thread, sleep, spawn, timeout_after};
use std::process;
use std::time::Duration;

#[cfg(unix)]
use curio::{SignalEvent, signal};

#[cfg(not(unix))]
#[path = "common/no_signals.rs"]
mod no_signals;
#[cfg(not(unix))]
use no_signals::{SignalEvent, signal};

use signal::{SIGINT, SIGTERM};

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid, who nags, and then computes with three friends around until you press
Ctrl-C; and the parent. Press it once more, and everybody leaves at once.

Usage: cargo run --example kid_blocking

Options:
  --help  show this help
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

/// As slow as it gets.
fn fib(n: u64) -> u64 {
    if n < 2 { 1 } else { fib(n - 1) + fib(n - 2) }
}

/// The shape of the Millenium Falcon. This takes minutes.
async fn golden_ratio() -> Result<u64> {
    let mut total = 0;
    for n in 0..50 {
        total += run_in_thread(move || fib(n)).await?;
    }
    Ok(total)
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
            match golden_ratio().await {
                Err(e) if e.is_cancellation() => {
                    println!("Fine. Saving my work.");
                    Err(e)
                }
                computed => computed.map(drop),
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
    let builder = Kernel::builder();
    #[cfg(unix)]
    let builder = builder.exit_on([SIGINT]);
    let kernel = builder.build()?;
    let ended = kernel.run(parent());
    // All others are told, and awaited.
    kernel.shutdown()?;
    match ended {
        Err(Error::Exit(code)) => process::exit(code),
        ended => ended,
    }
}
