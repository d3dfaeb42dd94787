//! The functions of [`crate::plain`] once more, as generators, and the program that lets them take turns.

use crate::generator::{Generator, Step};
use crate::scheduler::{Scheduler, Turn};

/// The kid: one loop, so one place to stop. Its state is the loop's variable and the loop's end.
#[derive(Debug)]
pub struct Kid {
    laid: u32,
    bricks: u32,
}

impl Kid {
    /// A kid who owns so many bricks.
    pub fn new(bricks: u32) -> Kid {
        Kid { laid: 0, bricks }
    }
}

impl Generator for Kid {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        if self.laid == self.bricks {
            return Step::Complete;
        }
        self.laid += 1;
        Step::Yielded(format!("brick {}", self.laid))
    }
}

/// The parent: several places to stop. The variant says where, its fields hold the variables that are needed there.
#[derive(Debug)]
pub enum Countdown {
    /// Not begun.
    Start {
        /// The first number to say.
        from: u32,
    },
    /// Stopped before or within the loop.
    Counting {
        /// The number to say next; 0 when the loop is over.
        n: u32,
    },
    /// Everything is said.
    Done,
}

impl Countdown {
    /// A countdown that has not begun.
    pub fn new(from: u32) -> Countdown {
        Countdown::Start { from }
    }
}

impl Generator for Countdown {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        match *self {
            Countdown::Start { from } => {
                *self = Countdown::Counting { n: from };
                Step::Yielded("Shoes on, please!".to_string())
            }
            Countdown::Counting { n: 0 } => {
                *self = Countdown::Done;
                Step::Yielded("We're leaving!".to_string())
            }
            Countdown::Counting { n } => {
                *self = Countdown::Counting { n: n - 1 };
                Step::Yielded(format!("T-minus {n}"))
            }
            Countdown::Done => Step::Complete,
        }
    }
}

/// Lets countdown and kid take turns, and prints what they hand out.
pub fn take_turns(mut scheduler: Scheduler) {
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    while let Some(turn) = scheduler.run_once() {
        show(&turn);
    }
}

/// Prints what a task handed out, or that it has ended.
pub fn show(turn: &Turn) {
    match &turn.step {
        Step::Yielded(said) => println!("{}: {said}", turn.task),
        Step::Complete => println!("({} has ended)", turn.task),
    }
}
