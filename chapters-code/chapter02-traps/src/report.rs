//! The same programs, watched: what happens in each turn, who waits, and what it costs.

use std::mem::size_of;

use crate::channel::Channel;
use crate::generator::Step;
use crate::kernel::Kernel;
use crate::programs::{self, Kid, Parent};
use crate::state::State;
use crate::task::{Task, TaskId};
use crate::traps::{Reply, Trap};
use crate::{polling, voice};

/// Runs to the end, and says how that was, if it was not good.
pub fn run(mut kernel: Kernel) {
    if let Err(deadlock) = kernel.run_all() {
        println!("{deadlock}");
    }
}

/// Runs the calls, and prints the queue before each turn and what the task asks for.
pub fn trace(kernel: &mut Kernel) {
    programs::calls(kernel);
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
    let polling = |bricks| turns(|kernel| polling::start(kernel, bricks));
    let joining = |bricks| {
        turns(|kernel| {
            kernel.spawn("parent", Parent::Start { bricks });
        })
    };
    println!(
        "by asking again: turns        {:>11}{:>13}",
        polling(10),
        polling(1000)
    );
    println!(
        "by a join: turns              {:>11}{:>13}",
        joining(10),
        joining(1000)
    );
    println!();
    let hits = turns(|kernel| programs::ping_pong(kernel, 999));
    println!("ping-pong, 1000 hits: turns   {hits:>11}");
    println!();
    println!("bytes in a Kid:               {:>11}", size_of::<Kid>());
    println!("bytes in a Parent:            {:>11}", size_of::<Parent>());
    println!("bytes in a Task:              {:>11}", size_of::<Task>());
    println!("bytes in a Channel:           {:>11}", size_of::<Channel>());
    println!("bytes in a Trap:              {:>11}", size_of::<Trap>());
    println!("bytes in a Reply:             {:>11}", size_of::<Reply>());
}
