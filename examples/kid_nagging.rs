//! The kid asks again and again, and then does real work: it computes, in threads.
//!
//! A computation awaits nothing, so on the kernel's thread it could not be cancelled, and while it runs neither friends nor
//! parent could do anything. In a thread it is out of the way. The thread itself cannot be stopped; but the kid leaves it
//! at once when it is told to, and nobody waits for it, not even the end of the program.

use curio::{Error, Event, Result, TaskGroup, run, run_in_thread, sleep, spawn, timeout_after};
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid who nags, and then computes with three friends around; and the parent.

Usage: cargo run --example kid_nagging

It takes 25 seconds. There is no --virtual: the work is real.

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

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

/// This takes minutes.
async fn compute() -> Result<u64> {
    let mut total = 0;
    for n in 0..60 {
        total += run_in_thread(move || fib(n)).await?;
    }
    Ok(total)
}

async fn kid(start: Event) -> Result<()> {
    loop {
        println!("Can I play?");
        match timeout_after(SEC, start.wait()).await {
            Err(Error::Timeout(_)) => println!("Wha!?!"),
            started => break started?,
        }
    }
    println!("Building the Millenium Falcon in Minecraft");
    TaskGroup::all()
        .scope(async |friends| {
            friends.spawn(friend("Max"));
            friends.spawn(friend("Lillian"));
            friends.spawn(friend("Thomas"));
            match compute().await {
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
    let start = Event::new();
    let kid = spawn(kid(start.clone()));
    sleep(9 * SEC / 2).await?;

    println!("Yes, go play");
    start.set();
    sleep(SEC / 2).await?;

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
    run(parent())
}
