//! Exercise 3, wrong: it hands on everything that the countdown returns, its end too.

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
    #[allow(dead_code, reason = "not to reach it is the mistake")]
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
                Step::Yielded("Pack the bag!".to_string())
            }
            Parent::Counting(countdown) => countdown.resume(),
            Parent::Done => Step::Yielded("Seat belts on!".to_string()),
        }
    }
}
