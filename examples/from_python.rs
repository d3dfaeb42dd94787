//! What Python Curio writes with exceptions and `async with`, in Rust's shapes. The book's page "Coming from Python Curio"
//! shows the Python beside it.
//!
//! It always runs on the virtual clock: its seconds pass at once.

use curio::{
    Clock, Error, Event, Kernel, Lock, Queue, Result, Task, TaskGroup, clock, ignore_after, sleep, spawn,
    timeout_after,
};
use std::time::{Duration, Instant};

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
What Python Curio writes with exceptions and `async with`, in Rust's shapes.

Usage: cargo run --example from_python

Options:
  --help  show this help
";

const SEC: Duration = Duration::from_secs(1);

/// Nothing here waits, so nothing is awaited, and the function need not be `async`.
fn begin(bell: &Event) -> (Task<()>, Instant) {
    let kid = spawn(kid(bell.clone()));
    bell.set();
    (kid, clock())
}

async fn kid(bell: Event) -> Result<()> {
    bell.wait().await?;
    println!("The kid has heard the bell.");
    Ok(())
}

async fn school() -> Result<()> {
    let (kid, began) = begin(&Event::new());
    kid.join().await?;
    assert_eq!(clock(), began);
    Ok(())
}

/// A limit within a limit: each kind of expiry has an error of its own.
async fn patient() -> Result<()> {
    match timeout_after(5 * SEC, sleep(1000 * SEC)).await {
        Err(Error::Timeout(_)) => println!("My own limit."),
        Err(e @ Error::TimeoutCancellation(_)) => {
            println!("Somebody else's limit.");
            return Err(e);
        }
        slept => slept?,
    }
    Ok(())
}

async fn hurried() -> Result<()> {
    match timeout_after(2 * SEC, patient()).await {
        Err(Error::Timeout(_)) => println!("Time is up."),
        done => done?,
    }
    Ok(())
}

async fn answer(text: &'static str, delay: Duration) -> Result<&'static str> {
    sleep(delay).await?;
    Ok(text)
}

/// The first answer; whoever is slower is cancelled.
async fn first() -> Result<&'static str> {
    let g = TaskGroup::any();
    g.scope(async |g| {
        g.spawn(answer("slow", 3 * SEC));
        g.spawn(answer("quick", SEC));
    })
    .await?;
    g.result()
}

/// Does one job after the other, and goes on if one fails.
async fn worker(jobs: Queue<u32>) -> Result<()> {
    loop {
        let job = jobs.get().await?;
        match work(job).await {
            Ok(()) => println!("Job {job} is done."),
            Err(e) if e.is_cancellation() => return Err(e),
            Err(e) => println!("Job {job} failed: {e}"),
        }
    }
}

async fn work(job: u32) -> Result<()> {
    sleep(SEC).await?;
    if job == 2 {
        return Err(Error::other("no bricks left"));
    }
    Ok(())
}

async fn workers() -> Result<()> {
    let jobs = Queue::new();
    let worker = spawn(worker(jobs.clone()));
    for job in 1..=3 {
        jobs.put(job).await?;
    }
    sleep(5 * SEC / 2).await?; // two jobs and a half
    worker.cancel().await?;
    match worker.join().await {
        Err(Error::Task(e)) if e.cancelled() => println!("The worker was cancelled."),
        ended => ended?,
    }
    Ok(())
}

/// The clean-up waits, but not for ever.
async fn guest() -> Result<()> {
    let stayed = sleep(1000 * SEC).await;
    if stayed.is_err() {
        ignore_after(SEC, goodbye()).await?;
        println!("Gone.");
    }
    stayed
}

async fn goodbye() -> Result<()> {
    println!("Goodbye!");
    sleep(1000 * SEC).await // nobody answers
}

async fn party() -> Result<()> {
    let guest = spawn(guest());
    sleep(SEC).await?;
    guest.cancel().await
}

/// Reads, waits, and writes back: without the lock, deposits would be lost.
async fn deposit(account: Lock<u32>) -> Result<()> {
    let mut balance = account.lock().await?;
    let old = *balance;
    sleep(SEC).await?;
    *balance = old + 10;
    Ok(())
}

async fn bank() -> Result<u32> {
    let account = Lock::new(0);
    TaskGroup::all()
        .scope(async |g| {
            for _ in 0..3 {
                g.spawn(deposit(account.clone()));
            }
        })
        .await?;
    let balance = account.lock().await?;
    Ok(*balance)
}

async fn all() -> Result<()> {
    school().await?;
    hurried().await?;
    println!("First: {}", first().await?);
    workers().await?;
    party().await?;
    println!("Balance: {}", bank().await?);
    Ok(())
}

fn main() -> Result<()> {
    arguments::read(HELP, |given| given.is_empty().then_some(()));
    Kernel::builder().clock(Clock::Virtual).build()?.run(all())
}
