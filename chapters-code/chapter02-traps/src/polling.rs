//! What we cannot do yet: wait. With the means of chapter 1, the parent can only ask again and again.

use std::cell::Cell;
use std::rc::Rc;

use crate::generator::{Generator, Step};
use crate::kernel::Kernel;
use crate::traps::{Reply, Trap};
use crate::voice::say;

/// A kid who notes when it is done, where the parent can see it.
#[derive(Debug)]
pub struct NotingKid {
    /// The bricks that are left.
    pub bricks: u32,
    /// The note.
    pub done: Rc<Cell<bool>>,
}

impl Generator for NotingKid {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, _: Reply) -> Step<Trap> {
        if self.bricks == 0 {
            self.done.set(true);
            return Step::Complete;
        }
        say("kid", &format!("bricks left: {}", self.bricks));
        self.bricks -= 1;
        Step::Yielded(Trap::Yield)
    }
}

/// A parent who looks at the note in each turn.
#[derive(Debug)]
pub struct AskingParent {
    /// The note.
    pub kid_is_done: Rc<Cell<bool>>,
}

impl Generator for AskingParent {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, _: Reply) -> Step<Trap> {
        if self.kid_is_done.get() {
            say("parent", "We're leaving!");
            return Step::Complete;
        }
        say("parent", "Done yet?");
        Step::Yielded(Trap::Yield)
    }
}

/// The two of them. They ask the kernel for nothing but another turn.
pub fn start(kernel: &mut Kernel, bricks: u32) {
    let done = Rc::new(Cell::new(false));
    let kid_is_done = Rc::clone(&done);
    kernel.spawn("parent", AskingParent { kid_is_done });
    kernel.spawn("kid", NotingKid { bricks, done });
}
