//! The program of chapter 2: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

use std::collections::BTreeSet;

use chapter2::kernel::Kernel;
use chapter2::{programs, voice, wrong};
use program::Program;

const CHAPTER2: Program = Program {
    name: "chapter2",
    path: env!("CARGO_BIN_EXE_chapter2"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &[
        "polling",
        "calls",
        "ping-pong",
        "polite",
        "trace",
        "ps",
        "by-message",
        "costs",
    ],
    without_seed: &["costs"],
    without_record: &["trace", "ps", "costs"],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER2.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER2.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER2.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER2.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER2.check_bad_arguments();
}

/// What is said under a schedule, and whether all have ended.
fn said(seed: Option<u64>, start: fn(&mut Kernel)) -> (bool, Vec<String>) {
    let mut kernel = seed.map_or_else(Kernel::new, Kernel::with_seed);
    start(&mut kernel);
    let (ended, said) = voice::listen(|| kernel.run_all());
    (ended.is_ok(), said)
}

/// Under every schedule, the same is said, though perhaps in another order.
fn says_the_same(start: fn(&mut Kernel)) {
    let (_, expected) = said(None, start);
    let expected: BTreeSet<_> = expected.into_iter().collect();
    for seed in 0..200 {
        let (ended, said) = said(Some(seed), start);
        assert!(ended, "seed {seed} ends in a deadlock");
        let said: BTreeSet<_> = said.into_iter().collect();
        assert_eq!(said, expected, "seed {seed}");
    }
}

#[test]
fn the_programs_end_under_every_schedule() {
    says_the_same(programs::family);
    says_the_same(programs::calls);
    says_the_same(|kernel| programs::ping_pong(kernel, 9));
}

#[test]
fn the_parent_leaves_last_under_every_schedule() {
    for seed in 0..200 {
        let (_, said) = said(Some(seed), programs::family);
        assert_eq!(
            said.last().map(String::as_str),
            Some("parent: We're leaving!"),
            "seed {seed}"
        );
    }
}

#[test]
fn a_message_is_no_join() {
    for seed in 0..200 {
        assert!(said(Some(seed), |kernel| wrong::start(kernel, &["parent"])).0);
        assert!(!said(Some(seed), |kernel| wrong::start(kernel, &["parent", "grandma"])).0);
    }
}
