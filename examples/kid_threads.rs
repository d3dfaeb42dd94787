//! The kid and the parent on threads.
//!
//! A thread cannot be cancelled, and a thread that sleeps cannot even be told something. So the kid must wait for a
//! message instead, in everything that it ever does. And a join takes no time limit, so the kid's end must be a message,
//! too. Nor can a test make the 25 seconds pass any faster: `thread::sleep` knows only one clock.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

#[path = "common/arguments.rs"]
mod arguments;

const HELP: &str = "\
The kid who does not want to leave, and the parent, on threads.

Usage: cargo run --example kid_threads

Options:
  --help  show this help
";

const SEC: Duration = Duration::from_secs(1);

fn countdown(n: u32) {
    for i in (1..=n).rev() {
        println!("T-minus {i}");
        thread::sleep(SEC);
    }
}

fn kid(told_to_stop: &Receiver<()>) {
    println!("Building the Millenium Falcon in Minecraft");
    // Not `thread::sleep(1000 * SEC)`: nobody could end that.
    if told_to_stop.recv_timeout(1000 * SEC).is_ok() {
        println!("Fine. Saving my work.");
    }
}

fn parent() -> thread::Result<()> {
    let (tell_to_stop, told_to_stop) = mpsc::channel();
    let (ends, ended) = mpsc::channel::<()>();
    let kid = thread::spawn(move || {
        kid(&told_to_stop);
        drop(ends); // the parent sees that nobody is left who could send
    });
    thread::sleep(5 * SEC);

    println!("Let's go");
    let count = thread::spawn(|| countdown(10));
    count.join()?;

    println!("We're leaving!");
    if ended.recv_timeout(10 * SEC) == Err(RecvTimeoutError::Timeout) {
        println!("I warned you!");
        // It fails if the kid has ended since: then there is nobody to tell.
        let _ = tell_to_stop.send(());
    }
    kid.join()?;
    println!("Leaving!");
    Ok(())
}

fn main() -> thread::Result<()> {
    arguments::read(HELP, |given| given.is_empty().then_some(()));
    parent()
}
