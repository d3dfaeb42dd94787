//! Checks of exercise 1: they compare the prediction with a run.

use chapter2::kernel::Kernel;
use chapter2::voice;

use super::subject::{order, program};

/// What the kernel does. The program is short; it ends after 8 turns.
fn truth() -> Vec<&'static str> {
    let mut kernel = Kernel::new();
    program(&mut kernel);
    let turns = || std::iter::from_fn(|| kernel.run_once()).take(100).collect();
    let (turns, _): (Vec<_>, _) = voice::listen(turns);
    turns.iter().map(|turn| turn.name).collect()
}

/// The names of the tasks.
const TASKS: [&str; 3] = ["parent", "kid", "friend"];

fn count(task: &str, order: &[&str]) -> usize {
    order.iter().filter(|name| **name == task).count()
}

fn the_first_round() {
    let order = order();
    for name in &order {
        assert!(
            TASKS.contains(name),
            "no task is called {name:?}: a task's name is the first argument of `spawn`"
        );
    }
    assert_ne!(
        order.get(1),
        Some(&"kid"),
        "the kid is new, and there was somebody in the queue already: a new task goes to its end"
    );
    assert!(
        order.get(..3) == truth().get(..3),
        "not the first three turns: who is put into the queue first, the new task or the one who asked for it?"
    );
}

fn each_task_has_as_many_turns_as_it_needs() {
    let (order, truth) = (order(), truth());
    for task in TASKS {
        let (yours, needed) = (count(task, &order), count(task, &truth));
        assert!(
            yours <= needed,
            "too many turns for {task} ({yours}): a task that waits is not in the queue"
        );
        assert!(
            yours >= needed,
            "too few turns for {task} ({yours}): one turn for each request, and one more to reach its end"
        );
    }
}

fn the_whole_order() {
    let (order, truth) = (order(), truth());
    let wrong = order
        .iter()
        .zip(&truth)
        .position(|(yours, true_one)| yours != true_one);
    if let Some(index) = wrong {
        let turn = index + 1;
        panic!("turn {turn} is the first that is wrong: who waits by then, and who has ended?");
    }
    assert!(
        order.len() == truth.len(),
        "right so far, but the number of turns is wrong: when has every task reached its end?"
    );
}

exercises::checks! {
    once the_first_round;
    once each_task_has_as_many_turns_as_it_needs;
    once the_whole_order;
}
