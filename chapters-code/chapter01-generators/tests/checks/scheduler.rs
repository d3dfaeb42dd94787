//! What a scheduler must do, checked over whatever `Scheduler` the module `subject` beside this one holds:
//! the chapter's own in `tests/invariants.rs`, a reader's in exercise 2.
//!
//! A check that takes a seed runs the schedule of that seed, or the order of arrival without one.

use std::cell::Cell;
use std::rc::Rc;

use chapter1::generator::{Generator, Step};
use chapter1::programs::{Countdown, Kid};
use chapter1::scheduler::Turn;

use super::subject::Scheduler;

/// More turns than any of these programs needs.
const TURN_LIMIT: usize = 100;

fn scheduler(seed: Option<u64>) -> Scheduler {
    seed.map_or_else(Scheduler::new, Scheduler::with_seed)
}

/// A family of three, who say 5, 3 and 2 lines.
fn family(seed: Option<u64>) -> Scheduler {
    let mut scheduler = scheduler(seed);
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    scheduler.spawn("friend", Kid::new(2));
    scheduler
}

/// Runs until no task is left, within reason.
fn run(scheduler: &mut Scheduler) -> Vec<Turn> {
    let mut turns = Vec::new();
    while let Some(turn) = scheduler.run_once() {
        turns.push(turn);
        assert!(
            turns.len() < TURN_LIMIT,
            "still running after {TURN_LIMIT} turns, but 13 are enough: does a complete task go back into the queue?"
        );
    }
    turns
}

/// Who ran, turn by turn.
fn order(turns: &[Turn]) -> Vec<&'static str> {
    turns.iter().map(|turn| turn.task).collect()
}

/// How the turns of one task ended, in order.
fn steps_of(task: &str, turns: &[Turn]) -> Vec<Step<String>> {
    let own = turns.iter().filter(|turn| turn.task == task);
    own.map(|turn| turn.step.clone()).collect()
}

/// How the turns of a generator end when nobody else is there.
fn alone(mut generator: impl Generator<Yield = String>) -> Vec<Step<String>> {
    let mut steps = Vec::new();
    while steps.last() != Some(&Step::Complete) {
        steps.push(generator.resume());
    }
    steps
}

/// Counts how often it is resumed, and ends at the tenth time.
struct Counter(Rc<Cell<usize>>);

impl Generator for Counter {
    type Yield = String;

    fn resume(&mut self) -> Step<String> {
        self.0.set(self.0.get() + 1);
        match self.0.get() {
            10.. => Step::Complete,
            n => Step::Yielded(n.to_string()),
        }
    }
}

pub(crate) fn one_turn_is_one_resume(seed: Option<u64>) {
    let resumes = Rc::new(Cell::new(0));
    let mut scheduler = scheduler(seed);
    scheduler.spawn("counter", Counter(resumes.clone()));
    assert_eq!(resumes.get(), 0, "a task ran before its first turn");
    for turns in 1..=10 {
        scheduler.run_once();
        assert!(
            resumes.get() >= turns,
            "not resumed in turn {turns}: does a task that yields go back into the queue?"
        );
        assert!(
            resumes.get() <= turns,
            "resumed more than once in turn {turns}: a turn is one call to `resume`, no loop"
        );
    }
}

pub(crate) fn tasks_run_in_a_circle() {
    let rounds = [
        "countdown kid friend",
        "countdown kid friend",
        "countdown kid friend", // the friend has ended
        "countdown kid",        // the kid has ended
        "countdown countdown",
    ];
    assert_eq!(
        order(&run(&mut family(None))).join(" "),
        rounds.join(" "),
        "not a circle: does a task that yields go to the end of the queue, behind all others?"
    );
}

pub(crate) fn a_complete_task_never_runs_again(seed: Option<u64>) {
    let mut scheduler = family(seed);
    let turns = run(&mut scheduler);
    for task in ["countdown", "kid", "friend"] {
        let steps = steps_of(task, &turns);
        let ends = steps.iter().filter(|step| **step == Step::Complete).count();
        assert!(ends <= 1, "{task} ran again after its end");
    }
    let left: Vec<_> = scheduler.ready().collect();
    assert!(
        left.is_empty(),
        "`run_once` returned `None`, but these are still in the queue: {}",
        left.join(", ")
    );
    assert_eq!(scheduler.run_once(), None, "no task is left, but somebody ran");
}

pub(crate) fn every_task_reaches_its_end(seed: Option<u64>) {
    let turns = run(&mut family(seed));
    for task in ["countdown", "kid", "friend"] {
        assert_eq!(
            steps_of(task, &turns).last(),
            Some(&Step::Complete),
            "{task} did not reach its end: was it lost, was its last turn not returned, or did `run_once` return `None` too early?"
        );
    }
}

pub(crate) fn no_schedule_changes_what_a_task_says(seed: Option<u64>) {
    let turns = run(&mut family(seed));
    let message = "was not resumed as if it were alone";
    assert_eq!(
        steps_of("countdown", &turns),
        alone(Countdown::new(3)),
        "countdown {message}"
    );
    assert_eq!(steps_of("kid", &turns), alone(Kid::new(3)), "kid {message}");
    assert_eq!(steps_of("friend", &turns), alone(Kid::new(2)), "friend {message}");
}

pub(crate) fn a_seed_is_a_schedule() {
    let mut schedules = Vec::new();
    for seed in 0..200 {
        let once = order(&run(&mut family(Some(seed))));
        let again = order(&run(&mut family(Some(seed))));
        assert_eq!(once, again, "seed {seed} made two different schedules");
        schedules.push(once);
    }
    schedules.sort();
    schedules.dedup();
    assert!(
        schedules.len() > 100,
        "only {} schedules from 200 seeds: does `run_once` take the task that `pick` picks?",
        schedules.len()
    );
}
