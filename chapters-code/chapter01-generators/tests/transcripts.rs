//! Runs every command whose output the chapter's page shows, and compares the output byte for byte.
//!
//! A transcript is a file `transcripts/NAME.txt`: the command in its first line, then what the command prints.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PROMPT: &str = "$ cargo run -p chapter1";

fn chapter1(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chapter1"))
        .args(arguments)
        .output()
        .expect("the program starts")
}

/// The arguments and the expected output, or what is wrong with the file.
fn parse(transcript: &str) -> Result<(Vec<&str>, &str), String> {
    let (command, output) = transcript.split_once('\n').ok_or("there is no output")?;
    let rest = command
        .strip_prefix(PROMPT)
        .ok_or(format!("the first line does not begin with '{PROMPT}'"))?;
    let arguments = match rest.strip_prefix(" -- ") {
        Some(arguments) => arguments.split_whitespace().collect(),
        None if rest.is_empty() => Vec::new(),
        None => return Err(format!("'{rest}' should begin with ' -- '")),
    };
    if !output.ends_with('\n') {
        return Err("the last line does not end".to_string());
    }
    Ok((arguments, output))
}

/// The first line in which two texts differ.
fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut expected, mut actual) = (expected.split('\n'), actual.split('\n'));
    for line in 2.. {
        let (old, new) = (expected.next(), actual.next());
        if old != new {
            let [old, new] = [old, new]
                .map(|text| text.map_or("(nothing)".to_string(), |text| format!("{text:?}")));
            return Some(format!(
                "line {line}\n  in the transcript: {old}\n  printed now:       {new}"
            ));
        }
    }
    unreachable!("two different texts differ in some line")
}

#[test]
fn transcripts_are_what_the_programs_print() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut problems = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the folder of transcripts") {
        let path = entry.expect("an entry of the folder").path();
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("a readable transcript");
        seen += 1;
        let (arguments, expected) = match parse(&text) {
            Ok(parsed) if name.ends_with(".txt") => parsed,
            Ok(_) => {
                problems.push(format!("{name}: is not called NAME.txt"));
                continue;
            }
            Err(problem) => {
                problems.push(format!("{name}: {problem}"));
                continue;
            }
        };
        let output = chapter1(&arguments);
        if !output.status.success() {
            problems.push(format!(
                "{name}: the program failed: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        } else if let Some(difference) =
            difference(expected, &String::from_utf8_lossy(&output.stdout))
        {
            problems.push(format!("{name}: {difference}"));
        }
    }
    assert!(seen > 0, "no transcript in {}", folder.display());
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn a_malformed_transcript_is_refused() {
    assert!(parse("$ cargo run -p chapter1").is_err(), "no output");
    assert!(
        parse("$ cargo run -p chapter2\nx\n").is_err(),
        "another program"
    );
    assert!(
        parse("$ cargo run -p chapter1 steps\nx\n").is_err(),
        "no ' -- '"
    );
    assert!(
        parse("$ cargo run -p chapter1 -- steps\nx").is_err(),
        "last line does not end"
    );
    let fine = parse("$ cargo run -p chapter1 -- --seed 4\nx\n");
    assert_eq!(fine, Ok((vec!["--seed", "4"], "x\n")));
}

#[test]
fn a_difference_is_found_in_its_line() {
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
