//! Connects to a producer and prints what it sends: `channel_producer`, or a Python.
//!
//! ```python
//! # producer.py
//! from multiprocessing.connection import Listener
//!
//! with Listener(('127.0.0.1', 30000), authkey=b'peekaboo') as listener:
//!     print('Waiting at', listener.address, flush=True)
//!     with listener.accept() as c:
//!         for i in range(10):
//!             c.send(i)
//!         c.send(None)
//! ```

use curio::channel::Channel;
use curio::{Result, run};

#[path = "common/meeting.rs"]
mod meeting;

const HELP: &str = "\
Prints what a producer sends over a channel: channel_producer, or the Python
program that stands at the top of this example's source.

Usage: cargo run --example channel_consumer --features channel -- [ADDRESS]

ADDRESS is 127.0.0.1:30000 if none is given.

Options:
  --help  show this help
";

async fn consumer(ch: Channel) -> Result<()> {
    let c = ch.connect(Some(b"peekaboo")).await?;
    // The last message is a None.
    while let Some(msg) = c.recv::<Option<u32>>().await? {
        println!("Got: {msg}");
    }
    Ok(())
}

fn main() -> Result<()> {
    let address = meeting::read(HELP);
    run(consumer(Channel::new(address)?))
}
