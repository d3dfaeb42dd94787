//! The programs of this chapter, as generators that hand out requests.

use crate::channel::ChannelId;
use crate::generator::{Generator, Step};
use crate::kernel::Kernel;
use crate::traps::{Reply, Trap};
use crate::voice::say;

/// The kid: lays its bricks, and lets the others have a turn after each.
#[derive(Debug)]
pub struct Kid {
    name: &'static str,
    laid: u32,
    bricks: u32,
}

impl Kid {
    /// A kid who owns so many bricks.
    pub fn new(name: &'static str, bricks: u32) -> Kid {
        Kid {
            name,
            laid: 0,
            bricks,
        }
    }
}

impl Generator for Kid {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, _: Reply) -> Step<Trap> {
        if self.laid == self.bricks {
            return Step::Complete;
        }
        self.laid += 1;
        say(self.name, &format!("brick {}", self.laid));
        Step::Yielded(Trap::Yield)
    }
}

/// The parent: starts the kid, waits for it, leaves.
#[derive(Debug)]
pub enum Parent {
    /// Not begun.
    Start {
        /// How many bricks the kid will get.
        bricks: u32,
    },
    /// Has asked for a task.
    Spawning,
    /// Has asked to go on when the kid has ended.
    Joining,
    /// Everything is said.
    Done,
}

impl Generator for Parent {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        match (&*self, answer) {
            (&Parent::Start { bricks }, _) => {
                say("parent", "You may play until we leave.");
                *self = Parent::Spawning;
                Step::Yielded(Trap::spawn("kid", Kid::new("kid", bricks)))
            }
            (Parent::Spawning, Reply::Spawned(kid)) => {
                say("parent", &format!("I wait for task {kid}."));
                *self = Parent::Joining;
                Step::Yielded(Trap::Join(kid))
            }
            (Parent::Joining, _) => {
                say("parent", "We're leaving!");
                *self = Parent::Done;
                Step::Complete
            }
            (Parent::Done, _) => Step::Complete,
            (Parent::Spawning, other) => panic!("a spawn was answered by {other:?}"),
        }
    }
}

/// Somebody who calls something into a channel, then something else, and so on.
#[derive(Debug)]
pub struct Caller {
    channel: ChannelId,
    calls: std::slice::Iter<'static, &'static str>,
}

impl Caller {
    /// A caller who has not begun.
    pub fn new(channel: ChannelId, calls: &'static [&'static str]) -> Caller {
        let calls = calls.iter();
        Caller { channel, calls }
    }
}

impl Generator for Caller {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, _: Reply) -> Step<Trap> {
        match self.calls.next() {
            Some(call) => {
                say("parent", call);
                Step::Yielded(Trap::Send(self.channel, call.to_string()))
            }
            None => Step::Complete,
        }
    }
}

/// Somebody who does what comes out of a channel, and ends with the last call.
#[derive(Debug)]
pub struct Listener {
    channel: ChannelId,
    done: bool,
}

impl Listener {
    /// A listener who has not begun.
    pub fn new(channel: ChannelId) -> Listener {
        Listener { channel, done: false }
    }
}

impl Generator for Listener {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        if let Reply::Received(call) = answer {
            say("kid", &format!("({call}) Yes, yes."));
            self.done = call == LAST_CALL;
        }
        match self.done {
            true => Step::Complete,
            false => Step::Yielded(Trap::Receive(self.channel)),
        }
    }
}

/// The call after which there is none.
pub const LAST_CALL: &str = "Out!";

/// What the parent calls.
pub const CALLS: &[&str] = &["Shoes!", "Jacket!", LAST_CALL];

/// One of two players. Each hits the ball into the channel that the other listens to. The ball is a number, and one
/// less after each hit; 0 is the last.
#[derive(Debug)]
pub struct Player {
    name: &'static str,
    hears: ChannelId,
    hits: ChannelId,
    ball: Option<u32>,
    done: bool,
}

impl Player {
    /// A player who has not begun; the one who serves has the ball.
    pub fn new(name: &'static str, hears: ChannelId, hits: ChannelId, ball: Option<u32>) -> Player {
        let done = false;
        Player {
            name,
            hears,
            hits,
            ball,
            done,
        }
    }
}

impl Generator for Player {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        if let Reply::Received(ball) = answer {
            say(self.name, &format!("ball {ball}"));
            self.ball = ball.parse::<u32>().ok().and_then(|ball| ball.checked_sub(1));
            self.done = self.ball.is_none();
        }
        if self.done {
            return Step::Complete;
        }
        match self.ball.take() {
            Some(ball) => {
                self.done = ball == 0; // it will not come back
                Step::Yielded(Trap::Send(self.hits, ball.to_string()))
            }
            None => Step::Yielded(Trap::Receive(self.hears)),
        }
    }
}

/// Kid and parent, with a join.
pub fn family(kernel: &mut Kernel) {
    kernel.spawn("parent", Parent::Start { bricks: 3 });
}

/// A channel between two tasks.
pub fn calls(kernel: &mut Kernel) {
    let channel = kernel.channel();
    kernel.spawn("kid", Listener::new(channel));
    kernel.spawn("parent", Caller::new(channel, CALLS));
}

/// Two tasks that cannot do without each other. This is the first ball.
pub fn ping_pong(kernel: &mut Kernel, ball: u32) {
    let (left, right) = (kernel.channel(), kernel.channel());
    kernel.spawn("ping", Player::new("ping", left, right, Some(ball)));
    kernel.spawn("pong", Player::new("pong", right, left, None));
}

/// Two polite players: each waits for the other to begin.
pub fn polite(kernel: &mut Kernel) {
    let (left, right) = (kernel.channel(), kernel.channel());
    kernel.spawn("ping", Player::new("ping", left, right, None));
    kernel.spawn("pong", Player::new("pong", right, left, None));
}
