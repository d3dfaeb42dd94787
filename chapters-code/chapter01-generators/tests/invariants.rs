//! The invariants of chapter 1. The chapter's page names each of these tests.

use chapter1::generator::{Generator, Step};
use chapter1::programs::{Countdown, Kid};
use chapter1::scheduler::{Scheduler, Turn};

const SEEDS: std::ops::Range<u64> = 0..200;

/// Everything that a generator hands out, up to its end.
fn all(mut generator: impl Generator<Yield = String>) -> Vec<String> {
    let mut said = Vec::new();
    while let Step::Yielded(line) = generator.resume() {
        said.push(line);
    }
    said
}

/// Runs until no task is left.
fn run(scheduler: &mut Scheduler) -> Vec<Turn> {
    std::iter::from_fn(|| scheduler.run_once()).collect()
}

/// A family of three, who say 5, 3 and 2 lines.
fn family(mut scheduler: Scheduler) -> Scheduler {
    scheduler.spawn("countdown", Countdown::new(3));
    scheduler.spawn("kid", Kid::new(3));
    scheduler.spawn("friend", Kid::new(2));
    scheduler
}

/// Who ran, turn by turn.
fn order(turns: &[Turn]) -> Vec<&'static str> {
    turns.iter().map(|turn| turn.task).collect()
}

/// What one task said, in order.
fn said_by(task: &str, turns: &[Turn]) -> Vec<String> {
    let own = turns.iter().filter(|turn| turn.task == task);
    own.filter_map(|turn| match &turn.step {
        Step::Yielded(line) => Some(line.clone()),
        Step::Complete => None,
    })
    .collect()
}

#[test]
fn a_generator_goes_on_where_it_stopped() {
    assert_eq!(all(Kid::new(3)), ["brick 1", "brick 2", "brick 3"]);
    assert_eq!(
        all(Countdown::new(2)),
        [
            "Shoes on, please!",
            "T-minus 2",
            "T-minus 1",
            "We're leaving!"
        ]
    );
}

#[test]
fn a_generator_with_nothing_to_do_still_ends() {
    assert!(all(Kid::new(0)).is_empty());
    assert_eq!(
        all(Countdown::new(0)),
        ["Shoes on, please!", "We're leaving!"]
    );
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
fn nothing_runs_before_its_first_turn() {
    struct Bomb;
    impl Generator for Bomb {
        type Yield = String;
        fn resume(&mut self) -> Step<String> {
            panic!("resumed without a turn")
        }
    }
    let mut scheduler = Scheduler::new();
    scheduler.spawn("kid", Kid::new(1));
    scheduler.spawn("bomb", Bomb);
    let turn = scheduler.run_once().expect("two tasks are ready");
    assert_eq!(turn.task, "kid");
}

#[test]
fn one_turn_is_one_resume() {
    use std::cell::Cell;
    use std::rc::Rc;

    struct Counter(Rc<Cell<u32>>);
    impl Generator for Counter {
        type Yield = String;
        fn resume(&mut self) -> Step<String> {
            self.0.set(self.0.get() + 1);
            Step::Yielded(String::new())
        }
    }
    let resumes = Rc::new(Cell::new(0));
    let mut scheduler = Scheduler::new();
    scheduler.spawn("first", Counter(resumes.clone()));
    scheduler.spawn("second", Counter(resumes.clone()));
    for turns in 1..=10 {
        scheduler.run_once();
        assert_eq!(resumes.get(), turns);
    }
}

#[test]
fn tasks_run_in_a_circle() {
    let turns = run(&mut family(Scheduler::new()));
    let (countdown, kid, friend) = ("countdown", "kid", "friend");
    let expected = [
        countdown, kid, friend, // three rounds with everyone
        countdown, kid, friend, //
        countdown, kid, friend, // the friend has ended
        countdown, kid, // the kid has ended
        countdown, countdown,
    ];
    assert_eq!(order(&turns), expected);
}

#[test]
fn a_complete_task_never_runs_again() {
    for scheduler in SEEDS.map(Scheduler::with_seed).chain([Scheduler::new()]) {
        let mut scheduler = family(scheduler);
        let turns = run(&mut scheduler);
        for task in ["countdown", "kid", "friend"] {
            let last = turns.iter().rposition(|turn| turn.task == task);
            let end = turns
                .iter()
                .position(|turn| turn.task == task && turn.step == Step::Complete);
            assert_eq!(last, end, "{task} ran after its end");
        }
        assert_eq!(scheduler.ready().count(), 0);
        assert_eq!(scheduler.run_once(), None);
    }
}

#[test]
fn no_schedule_changes_what_a_task_says() {
    for seed in SEEDS {
        let turns = run(&mut family(Scheduler::with_seed(seed)));
        assert_eq!(
            said_by("countdown", &turns),
            all(Countdown::new(3)),
            "seed {seed}"
        );
        assert_eq!(said_by("kid", &turns), all(Kid::new(3)), "seed {seed}");
        assert_eq!(said_by("friend", &turns), all(Kid::new(2)), "seed {seed}");
    }
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    let mut schedules = Vec::new();
    for seed in SEEDS {
        let once = order(&run(&mut family(Scheduler::with_seed(seed))));
        let again = order(&run(&mut family(Scheduler::with_seed(seed))));
        assert_eq!(once, again, "seed {seed}");
        schedules.push(once);
    }
    schedules.sort();
    schedules.dedup();
    assert!(
        schedules.len() > 100,
        "only {} different schedules",
        schedules.len()
    );
}
