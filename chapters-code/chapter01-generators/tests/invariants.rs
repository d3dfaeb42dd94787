//! The invariants of chapter 1. The chapter's page names these tests.

use chapter1::generator::{Generator, Step};
use chapter1::programs::{Countdown, Kid};

/// The scheduler to check. Exercise 2 puts a reader's scheduler in its place.
mod subject {
    pub(crate) use chapter1::scheduler::Scheduler;
}

#[path = "checks/scheduler.rs"]
mod checks;

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

/// Everything that a generator hands out, up to its end.
fn all(mut generator: impl Generator<Yield = String>) -> Vec<String> {
    let mut said = Vec::new();
    while let Step::Yielded(line) = generator.resume() {
        said.push(line);
    }
    said
}

#[test]
fn a_generator_goes_on_where_it_stopped() {
    assert_eq!(all(Kid::new(3)), ["brick 1", "brick 2", "brick 3"]);
    assert_eq!(
        all(Countdown::new(2)),
        ["Shoes on, please!", "T-minus 2", "T-minus 1", "We're leaving!"]
    );
}

#[test]
fn a_generator_with_nothing_to_do_still_ends() {
    assert!(all(Kid::new(0)).is_empty());
    assert_eq!(all(Countdown::new(0)), ["Shoes on, please!", "We're leaving!"]);
}

#[test]
fn a_complete_generator_stays_complete() {
    let (mut kid, mut countdown) = (Kid::new(1), Countdown::new(1));
    while kid.resume() != Step::Complete {}
    while countdown.resume() != Step::Complete {}
    for _ in 0..3 {
        assert_eq!(kid.resume(), Step::Complete);
        assert_eq!(countdown.resume(), Step::Complete);
    }
}

#[test]
fn one_turn_is_one_resume() {
    under_all_schedules(checks::one_turn_is_one_resume);
}

#[test]
fn tasks_run_in_a_circle() {
    checks::tasks_run_in_a_circle();
}

#[test]
fn a_complete_task_never_runs_again() {
    under_all_schedules(checks::a_complete_task_never_runs_again);
}

#[test]
fn every_task_reaches_its_end() {
    under_all_schedules(checks::every_task_reaches_its_end);
}

#[test]
fn no_schedule_changes_what_a_task_says() {
    under_all_schedules(checks::no_schedule_changes_what_a_task_says);
}

#[test]
fn a_seed_is_a_schedule() {
    checks::a_seed_is_a_schedule();
}
