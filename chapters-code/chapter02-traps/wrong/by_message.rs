//! A wrong turn: no join, for a message will do. The kid says when it is done, and who wants to know listens.

use crate::channel::ChannelId;
use crate::generator::{Generator, Step};
use crate::kernel::Kernel;
use crate::traps::{Reply, Trap};
use crate::voice::say;

/// A kid who calls "done" into a channel at its end.
#[derive(Debug)]
pub struct CallingKid {
    /// The bricks that are left.
    pub bricks: u32,
    /// Where to call; nobody, once it has called.
    pub channel: Option<ChannelId>,
}

impl Generator for CallingKid {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, _: Reply) -> Step<Trap> {
        if self.bricks > 0 {
            say("kid", &format!("bricks left: {}", self.bricks));
            self.bricks -= 1;
            return Step::Yielded(Trap::Yield);
        }
        match self.channel.take() {
            Some(channel) => Step::Yielded(Trap::Send(channel, "Done!".to_string())),
            None => Step::Complete,
        }
    }
}

/// Somebody who leaves when the kid is done.
#[derive(Debug)]
pub struct Leaver {
    /// What to call this one.
    pub name: &'static str,
    /// Where the kid calls.
    pub channel: ChannelId,
}

impl Generator for Leaver {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        match answer {
            Reply::Received(call) => {
                say(self.name, &format!("({call}) We're leaving!"));
                Step::Complete
            }
            _ => Step::Yielded(Trap::Receive(self.channel)),
        }
    }
}

/// A kid, and so many who wait for it.
pub fn start(kernel: &mut Kernel, leavers: &[&'static str]) {
    let channel = kernel.channel();
    let kid = CallingKid {
        bricks: 2,
        channel: Some(channel),
    };
    kernel.spawn("kid", kid);
    for &name in leavers {
        kernel.spawn(name, Leaver { name, channel });
    }
}
