//! Two wrong turns: a generator that forgets, and one that does not let go.

use crate::generator::{Generator, Step};
use crate::programs::{Countdown, show};
use crate::scheduler::Scheduler;

/// The kid, with `return` where `yield` was meant.
#[derive(Debug)]
pub struct Forgetful {
    /// How many bricks there are to lay.
    pub bricks: u32,
}

impl Generator for Forgetful {
    type Yield = String;

    #[expect(clippy::never_loop, reason = "this is the mistake that the page shows")]
    fn resume(&mut self) -> Step<String> {
        for brick in 1..=self.bricks {
            return Step::Yielded(format!("brick {brick}"));
        }
        Step::Complete
    }
}

/// The kid, who lays all bricks in one turn.
#[derive(Debug)]
pub struct Greedy {
    /// How many bricks are laid.
    pub laid: u32,
    /// How many bricks there are.
    pub bricks: u32,
}

impl Generator for Greedy {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        if self.laid == self.bricks {
            return Step::Complete;
        }
        let mut said = Vec::new();
        while self.laid < self.bricks {
            self.laid += 1;
            said.push(format!("brick {}", self.laid));
        }
        Step::Yielded(said.join(", "))
    }
}

/// Lets the forgetful kid run beside a countdown.
pub fn forgetful() {
    beside_countdown(Forgetful { bricks: 3 });
}

/// Lets the greedy kid run beside a countdown.
pub fn greedy() {
    beside_countdown(Greedy { laid: 0, bricks: 3 });
}

/// Twelve turns at most: the forgetful kid never ends.
fn beside_countdown(kid: impl Generator<Yield = String> + 'static) {
    let mut scheduler = Scheduler::new();
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", kid);
    for _ in 0..12 {
        let Some(turn) = scheduler.run_once() else {
            return;
        };
        show(&turn);
    }
    println!("(stopped by us after 12 turns)");
}
