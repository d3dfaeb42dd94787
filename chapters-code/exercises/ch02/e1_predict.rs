//! Exercise 1 of chapter 2, predict: who runs in which turn?
//!
//! Read [`program`], do not run it. Then write down in [`order`] the names of the tasks in the order of their turns, one
//! name for each turn. The kid of the parent is called "kid".

#![allow(clippy::todo)]

use chapter2::kernel::Kernel;
use chapter2::programs::{Kid, Parent};

/// Two tasks, one of which makes a third.
pub fn program(kernel: &mut Kernel) {
    kernel.spawn("parent", Parent::Start { bricks: 2 });
    kernel.spawn("friend", Kid::new("friend", 1));
}

/// Your prediction, such as `vec!["parent", "parent", "kid"]`.
pub fn order() -> Vec<&'static str> {
    todo!("write down who runs in which turn")
}
