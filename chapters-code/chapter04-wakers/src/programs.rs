//! The programs of chapter 3. To spawn and to send are plain functions now, as they never wait.

use crate::channel::Channel;
use crate::kernel::Kernel;
use crate::task::{spawn, yield_now};
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
    let kid = spawn("kid", kid("kid", bricks));
    say("parent", &format!("I wait for task {}.", kid.id()));
    kid.join().await;
    say("parent", "We're leaving!");
}

/// Somebody who calls something into a channel, then something else, and so on.
pub async fn caller(channel: Channel, calls: &'static [&'static str]) {
    for call in calls {
        say("parent", call);
        channel.send(call.to_string());
    }
}

/// Somebody who does what comes out of a channel, and ends with the last call.
pub async fn listener(channel: Channel) {
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
    hears: Channel,
    hits: Channel,
    mut ball: Option<u32>, // `None`: the other one begins
) {
    loop {
        if let Some(ball) = ball {
            hits.send(ball.to_string());
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
    kernel.spawn("parent", parent(3));
}

/// A channel between two tasks.
pub fn calls(kernel: &mut Kernel) {
    let channel = Channel::new();
    kernel.spawn("kid", listener(channel.clone()));
    kernel.spawn("parent", caller(channel, CALLS));
}

/// Two tasks that cannot do without each other. This is the first ball.
pub fn ping_pong(kernel: &mut Kernel, ball: u32) {
    let (left, right) = (Channel::new(), Channel::new());
    kernel.spawn("ping", player("ping", left.clone(), right.clone(), Some(ball)));
    kernel.spawn("pong", player("pong", right, left, None));
}

/// Two polite players: each waits for the other to begin.
pub fn polite(kernel: &mut Kernel) {
    let (left, right) = (Channel::new(), Channel::new());
    kernel.spawn("ping", player("ping", left.clone(), right.clone(), None));
    kernel.spawn("pong", player("pong", right, left, None));
}
