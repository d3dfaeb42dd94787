//! The same programs, watched: what happens in each turn, and what it costs.

use std::mem::size_of;

use crate::generator::{Generator, Step};
use crate::programs::{Countdown, Kid};
use crate::scheduler::Scheduler;
use crate::task::Task;

/// Resumes one generator by hand, and prints its state before each call.
pub fn steps() {
    let mut countdown = Countdown::new(2);
    println!("{:<20}resume() returns", "state before");
    for _ in 0..6 {
        let state = format!("{countdown:?}");
        println!("{state:<20}{:?}", countdown.resume());
    }
}

/// Runs countdown and kid, and prints the queue before each turn.
pub fn trace(mut scheduler: Scheduler) {
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    println!("turn  queue before    runs       hands out");
    for number in 1.. {
        let queue = scheduler.ready().collect::<Vec<_>>().join(" ");
        let Some(turn) = scheduler.run_once() else {
            break;
        };
        let out = match turn.step {
            Step::Yielded(said) => said,
            Step::Complete => "(complete)".to_string(),
        };
        println!("{number:<6}{queue:<16}{:<11}{out}", turn.task);
    }
}

/// Counts turns, and measures what a task takes up.
pub fn costs() {
    println!("  kids    turns  bricks laid  kids ended");
    for tasks in [1, 1_000, 100_000] {
        let mut scheduler = Scheduler::new();
        for _ in 0..tasks {
            scheduler.spawn("kid", Kid::new(3));
        }
        let (mut stops, mut ends) = (0, 0);
        while let Some(turn) = scheduler.run_once() {
            match turn.step {
                Step::Yielded(_) => stops += 1,
                Step::Complete => ends += 1,
            }
        }
        println!("{tasks:>6}  {:>7}  {stops:>11}  {ends:>10}", stops + ends);
    }
    println!();
    println!("bytes in a Kid:        {:>2}", size_of::<Kid>());
    println!("bytes in a Countdown:  {:>2}", size_of::<Countdown>());
    println!("bytes in a Task:       {:>2}", size_of::<Task>());
}
