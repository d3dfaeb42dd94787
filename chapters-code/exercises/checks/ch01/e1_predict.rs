//! Checks of exercise 1: they compare the prediction with a run.

use chapter1::scheduler::Scheduler;

use super::subject::{order, program};

/// What the scheduler does. The program is short; it ends after 8 turns.
fn truth() -> Vec<&'static str> {
    let mut scheduler = Scheduler::new();
    program(&mut scheduler);
    let turns = std::iter::from_fn(|| scheduler.run_once()).take(100);
    turns.map(|turn| turn.task).collect()
}

/// The names of the tasks.
const TASKS: [&str; 3] = ["kid", "countdown", "greedy"];

fn count(task: &str, order: &[&str]) -> usize {
    order.iter().filter(|name| **name == task).count()
}

fn everyone_has_a_turn_in_the_first_round() {
    for name in order() {
        assert!(
            TASKS.contains(&name),
            "no task is called {name:?}: a task's name is the first argument of `spawn`"
        );
    }
    assert!(
        order().iter().take(3).eq(truth().iter().take(3)),
        "not the first three turns: these are tasks, not calls, so each goes back to the end of the queue when it yields"
    );
}

fn each_task_has_as_many_turns_as_it_needs() {
    let (order, truth) = (order(), truth());
    for task in TASKS {
        let (yours, needed) = (count(task, &order), count(task, &truth));
        assert!(
            yours >= needed,
            "too few turns for {task} ({yours}): one turn for each value, and one more to say that it is complete"
        );
        assert!(
            yours <= needed,
            "too many turns for {task} ({yours}): does its `resume` do more in one turn than you thought?"
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
        panic!("turn {turn} is the first that is wrong: who waits, and who has left the queue by then?");
    }
    assert!(
        order.len() == truth.len(),
        "right so far, but the number of turns is wrong: when has every task said that it is complete?"
    );
}

exercises::checks! {
    once everyone_has_a_turn_in_the_first_round;
    once each_task_has_as_many_turns_as_it_needs;
    once the_whole_order;
}
