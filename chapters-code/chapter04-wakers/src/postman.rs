//! Somebody from outside knocks: a thread rings, and a task waits for it.
//!
//! No thread sleeps here and hopes. Who is when where is arranged by channels of the standard library.

use std::sync::mpsc;

use crate::doorbell::Doorbell;
use crate::kernel::Kernel;
use crate::remote::spawn_thread;
use crate::task::{spawn, yield_now};
use crate::voice::{self, say};

/// The parent waits for the postman, who comes when the kid has laid its bricks.
pub async fn parent_and_postman() {
    let doorbell = Doorbell::new();
    let (kid_is_done, done) = mpsc::channel();
    let (bell, say_there) = (doorbell.clone(), voice::for_a_thread());
    spawn_thread(move || {
        let _ = done.recv();
        say_there("postman", "Ding dong!");
        bell.ring();
    });
    spawn("kid", async move {
        say("kid", "brick 1");
        yield_now().await;
        say("kid", "brick 2");
        let _ = kid_is_done.send(());
    });
    say("parent", "I wait for the postman.");
    doorbell.wait().await;
    say("parent", "Coming!");
}

/// Parent, kid and postman.
pub fn start(kernel: &mut Kernel) {
    kernel.spawn("parent", parent_and_postman());
}
