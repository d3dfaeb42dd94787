//! Sends ten numbers to whoever connects and has the key: `channel_consumer`, or a Python.
//!
//! ```python
//! # consumer.py
//! from multiprocessing.connection import Client
//!
//! with Client(('127.0.0.1', 30000), authkey=b'peekaboo') as c:
//!     while (msg := c.recv()) is not None:
//!         print('Got:', msg)
//! ```
//!
//! A peer with another key is refused, and the producer waits for the next.

use curio::channel::Channel;
use curio::{Result, run};

#[path = "common/meeting.rs"]
mod meeting;

const HELP: &str = "\
Sends ten numbers over a channel to whoever connects and has the key:
channel_consumer, or the Python program that stands at the top of this
example's source.

Usage: cargo run --example channel_producer --features channel -- [ADDRESS]

ADDRESS is 127.0.0.1:30000 if none is given.

Options:
  --help  show this help
";

async fn producer(ch: Channel) -> Result<()> {
    ch.bind()?;
    println!("Waiting at {}", ch.address());
    let c = ch.accept(Some(b"peekaboo")).await?;
    for i in 0..10 {
        c.send(&i).await?;
    }
    c.send(&None::<u32>).await
}

fn main() -> Result<()> {
    let address = meeting::read(HELP);
    run(producer(Channel::new(address)?))
}
