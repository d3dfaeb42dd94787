//! Exercise 1 of chapter 3, predict: in which order do they speak?
//!
//! Read [`program`], do not run it. Then write down in [`lines`] what is said, in order.

#![allow(clippy::todo)]

use chapter3::operations::{spawn, yield_now};
use chapter3::voice::say;

async fn kid() {
    say("kid", "one");
    yield_now().await;
    say("kid", "two");
}

async fn friend() {
    say("friend", "one");
    yield_now().await;
    say("friend", "two");
}

/// The only task at first.
pub async fn program() {
    say("parent", "one");
    let kid = kid();
    say("parent", "two");
    spawn("friend", friend()).await;
    say("parent", "three");
    kid.await;
    say("parent", "four");
}

/// Your prediction, such as `vec!["parent: one", "kid: one"]`.
pub fn lines() -> Vec<&'static str> {
    todo!("write down what is said, in order")
}
