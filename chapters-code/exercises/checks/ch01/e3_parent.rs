//! Checks of exercise 3: a generator that runs another one in its middle.

use chapter1::generator::{Generator, Step};
use chapter1::programs::Kid;
use chapter1::scheduler::Scheduler;

use super::subject::Parent;

const FIRST: &str = "Pack the bag!";
const LAST: &str = "Seat belts on!";

/// All lines, in order.
fn expected(from: u32) -> Vec<String> {
    let numbers = (1..=from).rev().map(|n| format!("T-minus {n}"));
    let before = [FIRST, "Shoes on, please!"].map(String::from);
    let after = ["We're leaving!", LAST].map(String::from);
    before.into_iter().chain(numbers).chain(after).collect()
}

/// Resumes the generator so many times.
fn steps(parent: &mut Parent, turns: usize) -> Vec<Step<String>> {
    (0..turns).map(|_| parent.resume()).collect()
}

fn it_says_one_line_in_each_turn() {
    for from in [3, 1, 0] {
        let mut parent = Parent::new(from);
        let mut before = String::new();
        for expected in expected(from) {
            match parent.resume() {
                Step::Yielded(line) if line == expected => before = line,
                Step::Yielded(line) if line == before => panic!(
                    "{line:?} once more where {expected:?} belongs: did the turn before write down in `self` where it will go on?"
                ),
                Step::Yielded(line) if line.is_empty() => panic!(
                    "an empty line where {expected:?} belongs: when the countdown is complete, go on in the same turn"
                ),
                Step::Yielded(line) if line.contains(&expected) => panic!(
                    "more than {expected:?} in one turn, namely {line:?}: one turn is one call to the countdown's `resume`"
                ),
                Step::Yielded(line) => panic!("{line:?} where {expected:?} belongs"),
                Step::Complete if before.is_empty() => panic!(
                    "complete in the first turn, where {expected:?} belongs: hand out one line in each turn, and print none"
                ),
                Step::Complete => panic!(
                    "complete where {expected:?} belongs: the end of the countdown is not the end of the parent"
                ),
            }
        }
    }
}

fn it_ends_and_stays_complete() {
    let mut parent = Parent::new(2);
    let lines = expected(2).len();
    steps(&mut parent, lines);
    for step in steps(&mut parent, 20) {
        let Step::Yielded(line) = step else { continue };
        panic!("{line:?} after the end: every turn after the last line must be complete");
    }
}

fn it_takes_turns_with_others(seed: Option<u64>) {
    let mut scheduler = seed.map_or_else(Scheduler::new, Scheduler::with_seed);
    scheduler.spawn("parent", Parent::new(3));
    scheduler.spawn("kid", Kid::new(4));
    let turns = std::iter::from_fn(|| scheduler.run_once()).take(30);
    let own = turns.filter(|turn| turn.task == "parent");
    let lines: Vec<String> = own
        .filter_map(|turn| match turn.step {
            Step::Yielded(line) => Some(line),
            Step::Complete => None,
        })
        .collect();
    assert_eq!(lines, expected(3), "beside a kid, the parent says something else");
}

exercises::checks! {
    once it_says_one_line_in_each_turn;
    once it_ends_and_stays_complete;
    under_seeds it_takes_turns_with_others;
}
