//! Checks of exercise 1: they compare the prediction with a run.

use chapter3::adapter::Adapter;
use chapter3::kernel::Kernel;
use chapter3::voice;

use super::subject::{lines, program};

/// What is said.
fn truth() -> Vec<String> {
    let mut kernel = Kernel::new();
    kernel.spawn("parent", Adapter::new(program()));
    voice::listen(|| kernel.run_all()).1
}

/// Where a line is in the prediction.
fn place(line: &str) -> usize {
    let place = lines().iter().position(|own| *own == line);
    place.unwrap_or_else(|| panic!("nobody says {line:?} in your prediction"))
}

fn everyone_says_every_line_once() {
    let (mut yours, mut truth) = (lines(), truth());
    yours.sort();
    truth.sort();
    assert_eq!(
        yours, truth,
        "not every line once, as in \"parent: one\" (sorted here, so that this gives nothing away)"
    );
}

fn nothing_of_a_future_runs_before_it_is_awaited() {
    assert!(
        place("parent: three") < place("kid: one"),
        "the kid speaks too early: to call an `async` function makes a future, and runs nothing of it"
    );
}

fn who_awaits_waits_for_the_end() {
    assert!(
        place("kid: two") < place("parent: four"),
        "the parent goes on too early: the kid is no task, but a part of the parent, who goes on at its end"
    );
}

fn a_task_runs_while_another_one_waits() {
    assert!(
        place("friend: one") < place("parent: three"),
        "the friend speaks too late: to spawn is a trap here, and the parent's turn is over when it asks"
    );
    assert!(
        place("parent: three") < place("friend: two"),
        "the friend says both in one go: its turn is over when it yields"
    );
}

fn the_whole_order() {
    let (lines, truth) = (lines(), truth());
    let wrong = lines
        .iter()
        .zip(&truth)
        .position(|(yours, true_one)| yours != true_one);
    if let Some(index) = wrong {
        let line = index + 1;
        panic!("line {line} is the first that is wrong: whose turn is it, and up to where does it run?");
    }
    assert_eq!(lines.len(), truth.len(), "the number of lines is wrong");
}

exercises::checks! {
    once everyone_says_every_line_once;
    once nothing_of_a_future_runs_before_it_is_awaited;
    once who_awaits_waits_for_the_end;
    once a_task_runs_while_another_one_waits;
    once the_whole_order;
}
