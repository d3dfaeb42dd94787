//! The programs of chapter 2, as `async` functions.

use crate::adapter::Adapter;
use crate::channel::ChannelId;
use crate::kernel::Kernel;
use crate::operations::{spawn, yield_now};
use crate::voice::say;

/// The kid: lays its bricks, and lets the others have a turn after each.
pub async fn kid(name: &'static str, bricks: u32) {
    for brick in 1..=bricks {
        say(name, &format!("brick {brick}"));
        yield_now().await;
    }
}

/// The parent: starts the kid, waits for it, leaves.
pub async fn parent(bricks: u32) {
    say("parent", "You may play until we leave.");
    let kid = spawn("kid", kid("kid", bricks)).await;
    say("parent", &format!("I wait for task {kid}."));
    kid.join().await;
    say("parent", "We're leaving!");
}

/// Somebody who calls something into a channel, then something else, and so on.
pub async fn caller(channel: ChannelId, calls: &'static [&'static str]) {
    for call in calls {
        say("parent", call);
        channel.send(call.to_string()).await;
    }
}

/// Somebody who does what comes out of a channel, and ends with the last call.
pub async fn listener(channel: ChannelId) {
    loop {
        let call = channel.receive().await;
        say("kid", &format!("({call}) Yes, yes."));
        if call == LAST_CALL {
            return;
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
    hears: ChannelId,
    hits: ChannelId,
    mut ball: Option<u32>, // `None`: the other one begins
) {
    loop {
        if let Some(ball) = ball {
            hits.send(ball.to_string()).await;
            if ball == 0 {
                return; // it will not come back
            }
        }
        let caught = hears.receive().await;
        say(name, &format!("ball {caught}"));
        ball = caught.parse::<u32>().ok().and_then(|ball| ball.checked_sub(1));
        if ball.is_none() {
            return;
        }
    }
}

/// Kid and parent, with a join.
pub fn family(kernel: &mut Kernel) {
    kernel.spawn("parent", Adapter::new(parent(3)));
}

/// A channel between two tasks.
pub fn calls(kernel: &mut Kernel) {
    let channel = kernel.channel();
    kernel.spawn("kid", Adapter::new(listener(channel)));
    kernel.spawn("parent", Adapter::new(caller(channel, CALLS)));
}

/// Two tasks that cannot do without each other. This is the first ball.
pub fn ping_pong(kernel: &mut Kernel, ball: u32) {
    let (left, right) = (kernel.channel(), kernel.channel());
    kernel.spawn("ping", Adapter::new(player("ping", left, right, Some(ball))));
    kernel.spawn("pong", Adapter::new(player("pong", right, left, None)));
}

/// Two polite players: each waits for the other to begin.
pub fn polite(kernel: &mut Kernel) {
    let (left, right) = (kernel.channel(), kernel.channel());
    kernel.spawn("ping", Adapter::new(player("ping", left, right, None)));
    kernel.spawn("pong", Adapter::new(player("pong", right, left, None)));
}
