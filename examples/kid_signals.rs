//! The kid may play until a signal comes: Ctrl-C, or SIGTERM.
//!
//! The first Ctrl-C only sets an event, for which the parent waits. Then the parent lets go of the signal, and a second Ctrl-C
//! means what the kernel was told that it means: everybody out. They still have their say. Without `drop(goodbye)`, the
//! parent would finish its countdown however often one hits the keys.

use curio::{Error, Event, Kernel, Result, TaskGroup, sleep, spawn, timeout_after};
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
The kid, who may play until you press Ctrl-C, with three friends, and the
parent. Press it once more, and everybody leaves at once. (Once more again, and
the program ends before they have.)

Usage: cargo run --example kid_signals

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
