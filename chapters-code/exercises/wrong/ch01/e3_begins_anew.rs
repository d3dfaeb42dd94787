//! Exercise 3, wrong: the countdown is made anew in each turn, so it forgets where it stopped.

use chapter1::generator::{Generator, Step};
use chapter1::programs::Countdown;

/// The parent: where it stopped.
#[derive(Debug)]
pub enum Parent {
    /// Not begun.
    Start {
        /// Where the countdown will begin.
        from: u32,
    },
    /// In the middle of the countdown.
    Counting {
        /// Where the countdown begins.
        from: u32,
    },
    /// Everything is said.
    Done,
}

impl Parent {
    /// A parent who has not begun, and will count down from this number.
    pub fn new(from: u32) -> Parent {
        Parent::Start { from }
    }
}

impl Generator for Parent {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        match self {
            Parent::Start { from } => {
                *self = Parent::Counting { from: *from };
                Step::Yielded("Pack the bag!".to_string())
            }
            Parent::Counting { from } => match Countdown::new(*from).resume() {
                Step::Yielded(line) => Step::Yielded(line),
                Step::Complete => {
                    *self = Parent::Done;
                    Step::Yielded("Seat belts on!".to_string())
                }
            },
            Parent::Done => Step::Complete,
        }
    }
}
