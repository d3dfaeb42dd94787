//! The program of chapter 6: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

#[path = "../../common/ladder.rs"]
mod ladder;

use chapter6::programs::{self, report, voice};
use ladder::Stage;
use program::Program;

const CHAPTER6: Program = Program {
    name: "chapter6",
    path: env!("CARGO_BIN_EXE_chapter6"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &["dormitory", "watchman", "kettles", "calls", "looking"],
    without_seed: &[],
    without_record: &[],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER6.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER6.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER6.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER6.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER6.check_bad_arguments();
}

#[test]
fn what_is_said_and_when_does_not_depend_on_the_schedule() {
    let said = |seed| {
        let kernel = report::kernel(seed);
        let main = [kernel.spawn(programs::parent()), kernel.spawn(programs::calls())];
        let (ended, mut said) = voice::listen(|| kernel.run_all());
        ended.expect("all end");
        drop(main);
        said.sort();
        said
    };
    let expected = said(None);
    assert_eq!(expected.len(), 11);
    for seed in 0..200 {
        assert_eq!(said(Some(seed)), expected, "seed {seed}");
    }
}

#[test]
fn all_waiting_goes_through_one_function() {
    Stage(CHAPTER6.package).check_the_one_door();
}

#[test]
fn its_names_and_files_are_those_of_the_crate() {
    // Threads have another door in chapter 12.
    Stage(CHAPTER6.package).check_against_the_crate(&["spawn_thread"]);
}

#[test]
fn tasks_and_keys_are_those_of_chapter_5_to_the_letter() {
    let (here, before) = (
        Stage(CHAPTER6.package),
        Stage(concat!(env!("CARGO_MANIFEST_DIR"), "/../chapter05-kernel")),
    );
    for file in [
        "cell",
        "contain",
        "error",
        "key",
        "name",
        "outcome",
        "pool",
        "state",
        "task",
        "waker",
        "programs/channel",
        "programs/join2",
        "programs/voice",
    ] {
        let path = format!("src/{file}.rs");
        assert_eq!(
            here.read(&path),
            before.read(&path),
            "{path} is not that of chapter 5"
        );
    }
}
