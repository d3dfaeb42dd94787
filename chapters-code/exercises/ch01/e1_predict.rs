//! Exercise 1 of chapter 1, predict: who runs in which turn?
//!
//! Read [`program`], do not run it. Then write down in [`order`] the names of the tasks in the order of their
//! turns, one name for each turn. A turn in which a task only says that it is complete counts too.

#![allow(clippy::todo)]

use chapter1::programs::{Countdown, Kid};
use chapter1::scheduler::Scheduler;
use chapter1::wrong::Greedy;

/// Three tasks. The greedy one is that of the chapter's second wrong turn.
pub fn program(scheduler: &mut Scheduler) {
    scheduler.spawn("kid", Kid::new(1));
    scheduler.spawn("countdown", Countdown::new(1));
    scheduler.spawn("greedy", Greedy { laid: 0, bricks: 3 });
}

/// Your prediction, such as `vec!["kid", "kid", "countdown"]`.
pub fn order() -> Vec<&'static str> {
    todo!("write down who runs in which turn")
}
