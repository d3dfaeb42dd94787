//! Exercise 3 of chapter 1, extend: a generator that runs another generator in its middle.
//!
//! Write this function as a generator. It says one line, then all the lines of a countdown, then one more line:
//!
//! ```text
//! fn parent(from: u32) {
//!     println!("Pack the bag!");
//!     countdown(from);
//!     println!("Seat belts on!");
//! }
//! ```
//!
//! Every line is one turn. After the last line, one more turn is complete, and so is every turn after it.
//! Do not write the countdown again: [`Countdown`] has all its lines, and remembers which comes next.

#![allow(clippy::todo, unused)] // until your code stands here

use chapter1::generator::{Generator, Step};
use chapter1::programs::Countdown;

/// The parent. What must it remember between two turns? A struct or an enum: choose.
#[derive(Debug)]
pub struct Parent {}

impl Parent {
    /// A parent who has not begun, and will count down from this number.
    pub fn new(from: u32) -> Parent {
        todo!("the state before the first turn")
    }
}

impl Generator for Parent {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        todo!("run up to the next line")
    }
}
