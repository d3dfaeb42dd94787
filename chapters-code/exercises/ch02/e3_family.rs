//! Exercise 3 of chapter 2, extend: a task that starts many others, and waits for all.
//!
//! Write this function as a generator:
//!
//! ```text
//! fn family(kids: u32) {
//!     start so many kids, each with three bricks and called "kid";
//!     wait for the end of every one of them;
//! }
//! ```
//!
//! All kids are started before it waits for the first. A kid is `Kid::new("kid", 3)`.

#![allow(clippy::todo, unused)] // until your code stands here

use chapter2::generator::{Generator, Step};
use chapter2::programs::Kid;
use chapter2::task::TaskId;
use chapter2::traps::{Reply, Trap};

/// A parent of many. What must it remember between two turns?
#[derive(Debug)]
pub struct Family {}

impl Family {
    /// A family that has not begun.
    pub fn new(kids: u32) -> Family {
        todo!("the state before the first turn")
    }
}

impl Generator for Family {
    type Yield = Trap;
    type Answer = Reply;

    fn resume(&mut self, answer: Reply) -> Step<Trap> {
        todo!("hand out the next request")
    }
}
