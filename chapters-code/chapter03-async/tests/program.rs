//! The program of chapter 3: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

use chapter3::kernel::Kernel;
use chapter3::voice;
use chapter3::wrong::left_behind;
use program::Program;

const CHAPTER3: Program = Program {
    name: "chapter3",
    path: env!("CARGO_BIN_EXE_chapter3"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &[
        "calls",
        "ping-pong",
        "polite",
        "trace",
        "ps",
        "pin",
        "foreign",
        "left-behind",
        "trace-left",
        "costs",
    ],
    without_seed: &["pin", "costs"],
    without_record: &["trace", "trace-left", "ps", "pin", "costs"],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER3.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER3.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER3.check_programs();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER3.check_bad_arguments();
}

/// Everyone is there only after the kid's last brick, which is not what happens.
#[test]
fn one_slot_is_too_small_for_two_requests() {
    let mut kernel = Kernel::new();
    left_behind::start(&mut kernel);
    let (ended, said) = voice::listen(|| kernel.run_all());
    assert_eq!(ended, Ok(()));
    let line = |wanted: &str| said.iter().position(|line| line == wanted).expect(wanted);
    assert!(line("parent: Everyone is here. We're leaving!") < line("kid: brick 7"));
}
