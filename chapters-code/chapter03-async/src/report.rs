//! The same programs, watched: what happens in each turn, who waits, and what it costs.

use std::future::poll_fn;
use std::mem::{size_of, size_of_val};
use std::task::Poll;

use crate::adapter::Adapter;
use crate::channel::ChannelId;
use crate::generator::Step;
use crate::kernel::Kernel;
use crate::operations::{Ask, yield_now};
use crate::programs::{self, kid, parent, player};
use crate::state::State;
use crate::task::TaskId;
use crate::voice::{self, say};
use crate::wrong::left_behind;

/// Runs to the end, and says how that was, if it was not good.
pub fn run(mut kernel: Kernel) {
    if let Err(deadlock) = kernel.run_all() {
        println!("{deadlock}");
    }
}

/// Prints the queue before each turn and what the task asks for.
fn watch(kernel: &mut Kernel) {
    println!("turn  ready  waits  runs        asks to");
    for number in 1.. {
        let (ready, waits) = (numbers(kernel.ready()), numbers(waiting(kernel)));
        let (Some(turn), _) = voice::listen(|| kernel.run_once()) else {
            break;
        };
        let asks = match turn.step {
            Step::Yielded(asks) => asks,
            Step::Complete => "(complete)".to_string(),
        };
        println!(
            "{number:<6}{ready:<7}{waits:<7}{:<2}{:<10}{asks}",
            turn.task, turn.name
        );
    }
}

/// The tasks that wait.
fn waiting(kernel: &Kernel) -> impl Iterator<Item = TaskId> {
    let tasks = kernel.tables().tasks.iter();
    tasks.filter_map(|(id, task)| matches!(task.state, State::Waiting(_)).then_some(*id))
}

fn numbers(tasks: impl Iterator<Item = TaskId>) -> String {
    let numbers: Vec<String> = tasks.map(|task| task.to_string()).collect();
    numbers.join(" ")
}

/// Watches the calls.
pub fn trace(kernel: &mut Kernel) {
    programs::calls(kernel);
    watch(kernel);
}

/// Watches the parent of two.
pub fn trace_left(kernel: &mut Kernel) {
    left_behind::start(kernel);
    watch(kernel);
}

/// Runs a future of which the kernel knows nothing: it waits, and asks for nothing.
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
    kernel.spawn(
        "baker",
        Adapter::new(async move {
            cake.await;
            say("baker", "The cake is ready.");
        }),
    );
}

/// Runs two programs beside each other, and prints the task table now and then.
pub fn ps(kernel: &mut Kernel) {
    programs::family(kernel);
    programs::ping_pong(kernel, 3);
    for turn in 1..=12 {
        voice::listen(|| kernel.run_once());
        if [1, 7, 12].contains(&turn) {
            println!("After turn {turn}:\n{}", kernel.tables().ps());
        }
    }
    println!("The rest:");
}

/// Counts the turns of a program.
fn turns(start: impl FnOnce(&mut Kernel)) -> usize {
    let mut kernel = Kernel::new();
    start(&mut kernel);
    let (turns, _) = voice::listen(|| std::iter::from_fn(|| kernel.run_once()).count());
    turns
}

/// Counts turns, and measures what a task takes up.
pub fn costs() {
    println!("a parent waits for a kid with   10 bricks  1000 bricks");
    let joining = |bricks| {
        turns(|kernel| {
            kernel.spawn("parent", Adapter::new(parent(bricks)));
        })
    };
    println!(
        "by a join: turns              {:>11}{:>13}",
        joining(10),
        joining(1000)
    );
    println!();
    let hits = turns(|kernel| programs::ping_pong(kernel, 999));
    println!("ping-pong, 1000 hits: turns   {hits:>11}");
    println!();
    let table = ChannelId(1);
    println!(
        "bytes in the kid's future:    {:>11}",
        size_of_val(&kid("kid", 3))
    );
    println!("bytes in the parent's future: {:>11}", size_of_val(&parent(3)));
    let player = player("ping", table, table, None);
    println!("bytes in a player's future:   {:>11}", size_of_val(&player));
    println!();
    println!("bytes in yield_now's future:  {:>11}", size_of_val(&yield_now()));
    println!("bytes in an Ask:              {:>11}", size_of::<Ask>());
    println!("bytes in an Adapter:          {:>11}", size_of::<Adapter>());
}
