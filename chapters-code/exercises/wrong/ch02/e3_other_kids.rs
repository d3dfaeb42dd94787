//! Exercise 3, wrong: its kids have two bricks instead of three.

use chapter2::generator::{Generator, Step};
use chapter2::programs::Kid;
use chapter2::task::TaskId;
use chapter2::traps::{Reply, Trap};

/// A parent of many: how many kids are still to be started, and which are to be waited for.
#[derive(Debug)]
pub struct Family {
    missing: u32,
    kids: Vec<TaskId>,
}

impl Family {
    /// A family that has not begun.
    pub fn new(kids: u32) -> Family {
        Family {
            missing: kids,
            kids: Vec::new(),
        }
    }
}

impl Generator for Family {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        if let Reply::Spawned(kid) = answer {
            self.kids.push(kid);
        }
        if self.missing > 0 {
            self.missing -= 1;
            return Step::Yielded(Trap::spawn("kid", Kid::new("kid", 2)));
        }
        match self.kids.pop() {
            Some(kid) => Step::Yielded(Trap::Join(kid)),
            None => Step::Complete,
        }
    }
}
