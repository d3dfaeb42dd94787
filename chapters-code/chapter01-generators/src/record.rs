//! The run of countdown and kid, written down for the book's player.
//!
//! It is told from outside: who runs, and what comes out of the turn. The scheduler knows nothing of it.

use trace::{Clock, Ending, Trace};

use crate::generator::Step;
use crate::programs::{Countdown, Kid};
use crate::scheduler::Scheduler;

/// Runs them silently to the end. The trace of it; `seed` is that of the scheduler.
pub fn record(mut scheduler: Scheduler, seed: Option<u64>) -> String {
    let mut trace = Trace::new(Clock::Steps, seed);
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    // Tasks have no numbers yet, so we give them some.
    let names: Vec<&str> = scheduler.ready().collect();
    for (number, name) in (1..).zip(&names) {
        trace.created(number, name);
        trace.ready(number);
    }
    while let Some(turn) = scheduler.run_once() {
        let numbered = (1..).zip(&names).find(|(_, name)| **name == turn.task);
        let (task, _) = numbered.expect("nobody is spawned later");
        trace.running(task);
        match turn.step {
            Step::Yielded(said) => {
                trace.says(task, &said);
                trace.ready(task);
                trace.suspended(task, "READY");
            }
            Step::Complete => {
                trace.suspended(task, "TERMINATED");
                trace.terminated(task, Ending::Value);
            }
        }
    }
    trace.text().to_string()
}
