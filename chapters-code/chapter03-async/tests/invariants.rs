//! The invariants of chapter 3. The chapter's page names these tests.

use std::fs;
use std::path::Path;

/// The adapter to check. Exercise 2 puts a reader's adapter in its place.
mod subject {
    pub(crate) use chapter3::adapter::Adapter;
}

#[path = "checks/adapter.rs"]
mod checks;

/// Runs a check in the order of arrival and under 200 shuffled schedules.
fn under_all_schedules(check: fn(Option<u64>)) {
    check(None);
    for seed in 0..200 {
        println!("seed {seed}"); // shown if the check fails
        check(Some(seed));
    }
}

#[test]
fn one_resume_is_one_poll() {
    checks::one_resume_is_one_poll();
}

#[test]
fn a_request_is_handed_out_in_the_same_turn() {
    checks::a_request_is_handed_out_in_the_same_turn();
}

#[test]
fn an_answer_reaches_the_await_that_asked() {
    under_all_schedules(checks::an_answer_reaches_the_await_that_asked);
}

#[test]
fn a_future_that_asks_nothing_gets_another_turn() {
    under_all_schedules(checks::a_future_that_asks_nothing_gets_another_turn);
}

#[test]
fn a_ready_future_is_dropped_and_never_polled_again() {
    checks::a_ready_future_is_dropped_and_never_polled_again();
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn not_one_line_of_the_kernel_has_changed() {
    for file in [
        "channel",
        "error",
        "generator",
        "kernel",
        "record",
        "scheduler",
        "shuffle",
        "state",
        "tables",
        "task",
        "traps",
        "voice",
    ] {
        let here = read(&format!("src/{file}.rs"));
        let there = read(&format!("../chapter02-traps/src/{file}.rs"));
        assert_eq!(here, there, "src/{file}.rs is not that of chapter 2");
    }
}

#[test]
fn the_programs_do_what_they_did_in_chapter_2() {
    for name in ["family", "calls", "ping-pong", "polite", "ps", "seed", "trace"] {
        let here = read(&format!("transcripts/{name}.txt"));
        let there = read(&format!("../chapter02-traps/transcripts/{name}.txt"));
        assert_eq!(
            here,
            there.replace("-p chapter2", "-p chapter3"),
            "transcripts/{name}.txt"
        );
    }
    for name in ["family", "calls"] {
        let here = read(&format!("traces/{name}.jsonl"));
        let there = read(&format!("../chapter02-traps/traces/{name}.jsonl"));
        assert_eq!(here, there, "traces/{name}.jsonl");
    }
}
