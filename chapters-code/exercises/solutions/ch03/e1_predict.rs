//! Exercise 1, solved. A future is a value: nothing of it runs until it is awaited, and then inside of who awaits it.

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
    vec![
        "parent: one",
        "parent: two",
        "friend: one",
        "parent: three",
        "kid: one",
        "friend: two",
        "kid: two",
        "parent: four",
    ]
}
