//! Exercise 3, wrong: it goes through all its lines in one turn and hands out none of them, as one who prints them does.

use chapter1::generator::{Generator, Step};
use chapter1::programs::Countdown;

/// The parent: where it stopped, and the countdown while that runs.
#[derive(Debug)]
pub enum Parent {
    /// Not begun.
    Start {
        /// Where the countdown will begin.
        from: u32,
    },
    /// In the middle of the countdown.
    Counting(Countdown),
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
                *self = Parent::Counting(Countdown::new(*from));
                self.resume()
            }
            Parent::Counting(countdown) => {
                while countdown.resume() != Step::Complete {}
                *self = Parent::Done;
                Step::Complete
            }
            Parent::Done => Step::Complete,
        }
    }
}
