//! Publish and subscribe: whatever is published reaches everyone who has subscribed.
//!
//! A queue gives each item to *one* getter. So every subscriber has a queue of its own, and a dispatcher copies each
//! message into all of them. `chat.rs` does the same with clients on the network.

use curio::{Clock, Kernel, Queue, Result, TaskGroup, sleep};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
Publish and subscribe: one producer, and three subscribers who all get all.

Usage: cargo run --example pubsub -- [--virtual]

Options:
  --virtual  use a clock that jumps to the next moment at which something
             happens: the same second passes at once
  --help     show this help
";

/// A cheap handle, as the queue in it: clones are the same feed.
#[derive(Clone, Default)]
struct Feed {
    messages: Queue<u32>,
    subscribers: Rc<RefCell<BTreeMap<&'static str, Queue<u32>>>>,
}

impl Feed {
    async fn publish(&self, message: u32) -> Result<()> {
        self.messages.put(message).await
    }

    fn subscribe(&self, name: &'static str) -> Queue<u32> {
        let queue = Queue::new();
        self.subscribers.borrow_mut().insert(name, queue.clone());
        queue
    }

    fn unsubscribe(&self, name: &'static str) {
        self.subscribers.borrow_mut().remove(name);
    }

    /// Those who have subscribed by now. A copy: nothing may stay borrowed where a task waits.
    fn subscribed(&self) -> Vec<Queue<u32>> {
        self.subscribers.borrow().values().cloned().collect()
    }
}

/// Forwards messages until the feed ends.
async fn dispatcher(feed: Feed) -> Result<()> {
    while let Some(message) = feed.messages.next().await {
        let message = message?;
        for queue in feed.subscribed() {
            queue.put(message).await?;
        }
    }
    for queue in feed.subscribed() {
        queue.close(); // what is in it can still be got
    }
    Ok(())
}

async fn subscriber(feed: Feed, name: &'static str) -> Result<()> {
    let queue = feed.subscribe(name);
    let listened = listen(&queue, name).await;
    feed.unsubscribe(name); // also if it was cancelled
    listened
}

async fn listen(queue: &Queue<u32>, name: &str) -> Result<()> {
    while let Some(message) = queue.next().await {
        println!("{name} got {}", message?);
    }
    Ok(())
}

async fn producer(feed: Feed) -> Result<()> {
    for i in 0..10 {
        feed.publish(i).await?;
        sleep(Duration::from_millis(100)).await?;
    }
    feed.messages.close();
    Ok(())
}

async fn pubsub() -> Result<()> {
    let feed = Feed::default();
    TaskGroup::all()
        .scope(async |g| {
            g.spawn(dispatcher(feed.clone()));
            g.spawn(subscriber(feed.clone(), "child1"));
            g.spawn(subscriber(feed.clone(), "child2"));
            g.spawn(subscriber(feed.clone(), "child3"));
            g.spawn(producer(feed));
        })
        .await
}

fn main() -> Result<()> {
    let clock = arguments::read(HELP, |given| match given {
        [] => Some(Clock::Real),
        ["--virtual"] => Some(Clock::Virtual),
        _ => None,
    });
    Kernel::builder().clock(clock).build()?.run(pubsub())
}
