//! The same programs, watched: the task table now and then.

use super::{both_here, ping_pong, voice};
use crate::{Kernel, State};

/// A kernel whose schedule is that of the seed.
pub fn kernel(seed: Option<u64>) -> Kernel {
    match seed {
        Some(seed) => Kernel::builder().seed(seed).build(),
        None => Kernel::new(),
    }
}

/// Runs to the end, and says how that was, if it was not good.
pub fn run(kernel: &Kernel) {
    if let Err(error) = kernel.run_all() {
        println!("{error}");
    }
}

/// The task table, for people.
pub fn table(kernel: &Kernel) {
    let tables = kernel.context.tables.borrow();
    println!("Task   State        Cycles     Task");
    println!("------ ------------ ---------- --------");
    for (key, slot) in tables.tasks.oldest_first() {
        let states = tables.states(key);
        let (id, state) = (key.serial, states[0].as_str());
        let header = slot.cell.header();
        println!("{id:<6} {state:<12} {:<10} {}", header.cycles.get(), header.name);
        states[1..]
            .iter()
            .for_each(|more| println!("{:<6} {}", "", State::as_str(more)));
    }
}

/// Runs two programs beside each other, and prints the task table now and then.
pub fn ps(kernel: &Kernel) {
    both_here::start(kernel);
    ping_pong(kernel);
    for cycle in 1..=3 {
        // Nobody joins these tasks: how they end is no matter here.
        let _ = voice::listen(|| kernel.run_once());
        println!("After cycle {cycle}:");
        table(kernel);
        println!();
    }
    println!("The rest:");
}
