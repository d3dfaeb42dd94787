//! A producer and a consumer with a queue between them.
//!
//! The queue has room for three items. So the producer is never further ahead than that: when the queue is full, its
//! `put` waits. At the end it waits until the consumer has *done* everything (`join`), which is later than *got*.

use curio::{Clock, Kernel, Queue, Result, sleep, spawn};
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
A producer and a consumer with a queue between them.

Usage: cargo run --example prodcons -- [--virtual]

Options:
  --virtual  use a clock that jumps to the next moment at which something
             happens: the second that the consumer works passes at once
  --help     show this help
";

async fn producer(queue: Queue<u32>) -> Result<()> {
    for item in 0..10 {
        queue.put(item).await?;
        println!("Put {item}");
    }
    queue.join().await?;
    println!("All done");
    Ok(())
}

async fn consumer(queue: Queue<u32>) -> Result<()> {
    loop {
        let item = queue.get().await?;
        println!("  Got {item}");
        sleep(Duration::from_millis(100)).await?; // the work
        queue.task_done();
    }
}

async fn prodcons() -> Result<()> {
    let queue = Queue::bounded(3);
    let producer = spawn(producer(queue.clone()));
    let consumer = spawn(consumer(queue));
    producer.join().await?;
    consumer.cancel().await // it waits for an item that will not come
}

fn main() -> Result<()> {
    let clock = arguments::read(HELP, |given| match given {
        [] => Some(Clock::Real),
        ["--virtual"] => Some(Clock::Virtual),
        _ => None,
    });
    Kernel::builder().clock(clock).build()?.run(prodcons())
}
