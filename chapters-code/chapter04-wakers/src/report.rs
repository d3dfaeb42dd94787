//! The same programs, watched: what happens in each turn, who waits, and what it costs.

use std::future::poll_fn;
use std::mem::size_of_val;
use std::task::Poll;

use crate::both_here;
use crate::channel::Channel;
use crate::kernel::Kernel;
use crate::programs::{self, kid, parent, player};
use crate::voice::{self, say};
use crate::wrong::busy;

/// Runs to the end, and says how that was, if it was not good.
pub fn run(mut kernel: Kernel) {
    if let Err(deadlock) = kernel.run_all() {
        println!("{deadlock}");
    }
}

/// Prints the queue before each turn, and what the task is doing after it.
fn watch(kernel: &mut Kernel) {
    println!("turn  ready  runs        notes  wakes  is then");
    for number in 1.. {
        let ready: Vec<String> = kernel.ready().map(|task| task.to_string()).collect();
        let ready = ready.join(" ");
        let (Some(turn), _) = voice::listen(|| kernel.run_once()) else {
            break;
        };
        let (notes, wakes, state) = (kernel.waits(), kernel.wakes(), kernel.describe(turn.task));
        println!(
            "{number:<6}{ready:<7}{:<2}{:<10}{notes:<7}{wakes:<7}{state}",
            turn.task, turn.name
        );
    }
}

/// Watches the calls.
pub fn trace(kernel: &mut Kernel) {
    programs::calls(kernel);
    watch(kernel);
}

/// Watches the parent of two.
pub fn trace_both(kernel: &mut Kernel) {
    both_here::start(kernel);
    watch(kernel);
}

/// Runs a future of which the kernel knows nothing: it waits, and nobody will wake it.
pub fn foreign(kernel: &mut Kernel) {
    let mut polls = 0;
    let cake = poll_fn(move |_| {
        polls += 1;
        say("oven", &format!("look number {polls}"));
        match polls {
            4.. => Poll::Ready(()),
            _ => Poll::Pending,
        }
    });
    kernel.spawn("baker", async move {
        cake.await;
        say("baker", "The cake is ready.");
    });
}

/// Runs three programs beside each other, and prints the task table now and then.
pub fn ps(kernel: &mut Kernel) {
    both_here::start(kernel);
    programs::ping_pong(kernel, 3);
    for turn in 1..=8 {
        voice::listen(|| kernel.run_once());
        if [1, 8].contains(&turn) {
            println!("After turn {turn}:\n{}", kernel.ps());
        }
    }
    println!("The rest:");
}

/// The turns of a program, and how often a task was woken.
fn count(start: impl FnOnce(&mut Kernel)) -> (usize, u64) {
    let mut kernel = Kernel::new();
    start(&mut kernel);
    let (turns, _) = voice::listen(|| std::iter::from_fn(|| kernel.run_once()).count());
    (turns, kernel.wakes())
}

/// Counts turns and wakes, and measures what a task takes up.
pub fn costs() {
    println!("a parent waits for a kid with   10 bricks  1000 bricks");
    let busy = |bricks| count(|kernel| busy::start(kernel, bricks));
    let joining = |bricks| {
        count(|kernel| {
            kernel.spawn("parent", parent(bricks));
        })
    };
    println!(
        "by looking again: turns       {:>11}{:>13}",
        busy(10).0,
        busy(1000).0
    );
    println!(
        "by a join: turns              {:>11}{:>13}",
        joining(10).0,
        joining(1000).0
    );
    println!(
        "by a join: wakes              {:>11}{:>13}",
        joining(10).1,
        joining(1000).1
    );
    println!();
    let (turns, wakes) = count(|kernel| programs::ping_pong(kernel, 999));
    println!("ping-pong, 1000 hits: turns   {turns:>11}");
    println!("ping-pong, 1000 hits: wakes   {wakes:>11}");
    println!();
    println!(
        "bytes in the kid's future:    {:>11}",
        size_of_val(&kid("kid", 3))
    );
    println!("bytes in the parent's future: {:>11}", size_of_val(&parent(3)));
    let player = player("ping", Channel::new(), Channel::new(), None);
    println!("bytes in a player's future:   {:>11}", size_of_val(&player));
}
