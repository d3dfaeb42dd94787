//! The program of chapter 1: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

use program::{Program, transcripts};

const CHAPTER1: Program = Program {
    name: "chapter1",
    path: env!("CARGO_BIN_EXE_chapter1"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &["plain", "steps", "trace", "forgetful", "greedy", "costs"],
    without_seed: &["plain", "steps", "forgetful", "greedy", "costs"],
    without_record: &["plain", "steps", "trace", "forgetful", "greedy", "costs"],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER1.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER1.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER1.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER1.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER1.check_bad_arguments();
}

#[test]
fn a_malformed_transcript_is_refused() {
    let parse = |transcript| transcripts::parse(transcript, "chapter1");
    assert!(parse("$ cargo run -p chapter1").is_err(), "no output");
    assert!(parse("$ cargo run -p chapter2\nx\n").is_err(), "another program");
    assert!(parse("$ cargo run -p chapter1 steps\nx\n").is_err(), "no ' -- '");
    assert!(
        parse("$ cargo run -p chapter1 -- steps\nx").is_err(),
        "the last line does not end"
    );
    let fine = parse("$ cargo run -p chapter1 -- --seed 4\nx\n");
    assert_eq!(fine, Ok((vec!["--seed", "4"], "x\n")));
}

#[test]
fn a_difference_is_found_in_its_line() {
    let difference = transcripts::difference;
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    assert!(difference("a\nb\n", "a\nc\n").is_some_and(|(line, _)| line == 2));
    assert!(difference("a\n", "a\nb\n").is_some_and(|(line, _)| line == 2));
    assert!(difference("a\n", "a").is_some());
}
