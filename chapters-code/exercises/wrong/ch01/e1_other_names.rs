//! Exercise 1, wrong: the names of the people, not of the tasks.

use chapter1::programs::{Countdown, Kid};
use chapter1::scheduler::Scheduler;
use chapter1::wrong::Greedy;

/// Three tasks. The greedy one is that of the chapter's second wrong turn.
pub fn program(scheduler: &mut Scheduler) {
    scheduler.spawn("kid", Kid::new(1));
    scheduler.spawn("countdown", Countdown::new(1));
    scheduler.spawn("greedy", Greedy { laid: 0, bricks: 3 });
}

/// Your prediction, such as `vec!["kid", "kid", "countdown"]`.
pub fn order() -> Vec<&'static str> {
    vec![
        "kid",
        "parent",
        "greedy",
        "kid",
        "parent",
        "greedy",
        "parent",
        "parent",
    ]
}
