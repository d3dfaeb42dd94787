//! Producer and consumer over a channel, with the Python programs that stand in their documentation in either role.

use std::process::Command;

use crate::child::{Finished, Running, example};

const GOT: &str = "Got: 0\nGot: 1\nGot: 2\nGot: 3\nGot: 4\nGot: 5\nGot: 6\nGot: 7\nGot: 8\nGot: 9\n";

/// The Python program in the documentation of an example, for another port. None if there is no Python.
fn python(source: &str, port: &str) -> Option<Running> {
    let program: Vec<&str> = source
        .lines()
        .skip_while(|line| *line != "//! ```python")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//! ").unwrap_or(""))
        .collect();
    let program = program.join("\n").replace("30000", port);
    assert!(program.contains(port), "{program}");
    // The operator `:=` came with 3.8.
    let is_there = Command::new("python3").args(["-c", "(a := 1)"]).output();
    if !is_there.is_ok_and(|tried| tried.status.success()) {
        eprintln!("skipped: there is no Python 3.8 or later");
        return None;
    }
    Some(Running::start(Command::new("python3").args(["-c", &program])))
}

/// The port at the end of what a producer says first.
fn port(producer: &Running) -> String {
    let line = producer.line();
    assert!(line.starts_with("Waiting at "), "{line}");
    let digits = line.trim_end_matches(')').rsplit([':', ' ']).next();
    digits.expect("there is a last").to_string()
}

fn consumer(port: &str) -> Running {
    Running::start(example("channel_consumer").arg(format!("127.0.0.1:{port}")))
}

#[track_caller]
fn ended_well(finished: &Finished, stdout: &str) {
    assert!(finished.status.success(), "{}", finished.stderr);
    assert_eq!((&*finished.stdout, &*finished.stderr), (stdout, ""));
}

#[test]
fn both_are_ours() {
    let producer = Running::start(example("channel_producer").arg("127.0.0.1:0"));
    ended_well(&consumer(&port(&producer)).finish(), GOT);
    ended_well(&producer.finish(), "");
}

#[test]
fn the_consumer_is_a_python() {
    let producer = Running::start(example("channel_producer").arg("127.0.0.1:0"));
    let source = include_str!("../../channel_producer.rs");
    let Some(consumer) = python(source, &port(&producer)) else {
        return;
    };
    ended_well(&consumer.finish(), GOT);
    ended_well(&producer.finish(), "");
}

#[test]
fn the_producer_is_a_python() {
    let source = include_str!("../../channel_consumer.rs");
    let Some(producer) = python(source, "0") else {
        return;
    };
    ended_well(&consumer(&port(&producer)).finish(), GOT);
    ended_well(&producer.finish(), "");
}

#[test]
fn where_nobody_waits_it_says_so() {
    let finished = consumer("1").finish();
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished
            .stderr
            .starts_with("Error: cannot connect to 127.0.0.1:1: "),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.stderr.lines().count(), 1);
}
