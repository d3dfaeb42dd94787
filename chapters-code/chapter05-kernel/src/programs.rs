//! What runs on the kernel: the programs of chapter 4, and what tasks can do now. The crate has none of this.
//!
//! To the programs of chapter 4, `?` was added. A task is called after its function, unless somebody says otherwise.

pub mod both_here;
pub mod channel;
pub mod join2;
pub mod record;
pub mod report;
pub mod towers;
pub mod voice;

use crate::{Kernel, Result, spawn, task, yield_now};
use channel::Channel;
use voice::say;

/// The kid: lays its bricks, and lets the others have a turn after each.
pub async fn kid(name: &'static str, bricks: u32) -> Result<()> {
    for brick in 1..=bricks {
        say(name, &format!("brick {brick}"));
        yield_now().await?;
    }
    Ok(())
}

/// The parent: starts the kid, waits for it, leaves.
pub async fn parent(bricks: u32) -> Result<()> {
    say("parent", "You may play until we leave.");
    let kid = spawn(kid("kid", bricks));
    say("parent", &format!("I wait for task {}.", kid.id()));
    kid.join().await?;
    say("parent", "We're leaving!");
    Ok(())
}

/// Somebody who calls something into a channel, then something else, and so on.
pub async fn caller(channel: Channel, calls: &'static [&'static str]) {
    for call in calls {
        say("parent", call);
        channel.send(call.to_string());
    }
}

/// Somebody who does what comes out of a channel, and ends with the last call.
pub async fn listener(channel: Channel) -> Result<()> {
    loop {
        let call = channel.receive().await?;
        say("kid", &format!("({call}) Yes, yes."));
        if call == LAST_CALL {
            return Ok(());
        }
    }
}

/// The call after which there is none.
pub const LAST_CALL: &str = "Out!";

/// What the parent calls.
pub const CALLS: &[&str] = &["Shoes!", "Jacket!", LAST_CALL];

/// One of two players. Each hits the ball into the channel that the other listens to. The ball is a number, and one
/// less after each hit; 0 is the last. The one who serves has the ball.
pub async fn player(
    name: &'static str,
    hears: Channel,
    hits: Channel,
    mut ball: Option<u32>, // `None`: the other one begins
) -> Result<()> {
    loop {
        if let Some(ball) = ball {
            hits.send(ball.to_string());
            if ball == 0 {
                return Ok(()); // it will not come back
            }
        }
        let caught = hears.receive().await?;
        say(name, &format!("ball {caught}"));
        ball = caught.parse::<u32>().ok().and_then(|ball| ball.checked_sub(1));
        if ball.is_none() {
            return Ok(());
        }
    }
}

/// A game of two players. Without a ball, each waits for the other to begin.
pub async fn game(ball: Option<u32>) -> Result<()> {
    let (left, right) = (Channel::new(), Channel::new());
    let ping = player("ping", left.clone(), right.clone(), ball);
    let pong = player("pong", right, left, None);
    let ping = task(ping).name("ping").spawn();
    let pong = task(pong).name("pong").spawn();
    ping.join().await?;
    pong.join().await
}

/// Kid and parent, with a join.
pub fn family(kernel: &Kernel) {
    kernel.spawn(parent(3));
}

/// A channel between two tasks.
pub fn calls(kernel: &Kernel) {
    let channel = Channel::new();
    kernel.spawn(listener(channel.clone()));
    kernel.spawn(caller(channel, CALLS));
}

/// Two tasks that cannot do without each other.
pub fn ping_pong(kernel: &Kernel) {
    kernel.spawn(game(Some(3)));
}

/// Two polite players.
pub fn polite(kernel: &Kernel) {
    kernel.spawn(game(None));
}
