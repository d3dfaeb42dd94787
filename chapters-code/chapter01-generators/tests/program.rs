//! The program of chapter 1: what it prints, and what it says to bad arguments.

use std::path::Path;
use std::process::{Command, Output};

#[path = "../../common/transcripts.rs"]
mod transcripts;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chapter1");

fn chapter1(arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(arguments)
        .output()
        .expect("the program starts")
}

#[test]
fn transcripts_are_what_the_programs_print() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Err(problems) = transcripts::check(package, "chapter1", Path::new(PROGRAM)) {
        panic!("{problems}");
    }
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
    assert!(difference("a\nb\n", "a\nc\n").is_some_and(|text| text.starts_with("line 3")));
    assert!(difference("a\n", "a\nb\n").is_some_and(|text| text.starts_with("line 3")));
    assert!(difference("a\n", "a").is_some());
}

#[test]
fn bad_arguments_get_one_clear_line() {
    for (arguments, reason) in [
        (&["paly"][..], "no program is called 'paly'"),
        (&["--loud"], "unknown argument '--loud'"),
        (&["steps", "twice"], "unknown argument 'twice'"),
        (&["--seed"], "--seed needs a number"),
        (&["--seed", "x"], "--seed needs a whole number, not 'x'"),
        (&["--seed", "-1"], "--seed needs a whole number, not '-1'"),
        (&["plain", "--seed", "1"], "'plain' takes no --seed"),
    ] {
        let output = chapter1(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(error, format!("chapter1: {reason}; try --help\n"));
    }
}

#[test]
fn help_names_every_program() {
    let help = chapter1(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for program in ["plain", "steps", "trace", "forgetful", "greedy", "costs"] {
        assert!(help.contains(&format!("\n  {program} ")), "{program}");
        assert!(chapter1(&[program]).status.success(), "{program}");
    }
}
