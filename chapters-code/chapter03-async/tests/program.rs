//! The program of chapter 3: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

use chapter3::adapter::Adapter;
use chapter3::kernel::Kernel;
use chapter3::operations::spawn;
use chapter3::programs::kid;
use chapter3::voice::{self, say};
use chapter3::wrong::join2::join2;
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
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER3.check_without_a_reader();
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

/// A parent who asks for the friend first, and whether it says more than it knows.
fn leaves_too_early(friend_bricks: u32, kid_bricks: u32) -> bool {
    let mut kernel = Kernel::new();
    let parent = async move {
        let friend = spawn("friend", kid("friend", friend_bricks)).await;
        let kid = spawn("kid", kid("kid", kid_bricks)).await;
        join2(friend.join(), kid.join()).await;
        say("parent", "We're leaving!");
    };
    kernel.spawn("parent", Adapter::new(parent));
    let (ended, said) = voice::listen(|| kernel.run_all());
    assert_eq!(ended, Ok(()));
    said.last().is_none_or(|line| line != "parent: We're leaving!")
}

#[test]
fn the_other_order_is_right_by_luck() {
    assert!(!leaves_too_early(2, 8), "the slot holds the request for the kid");
    assert!(leaves_too_early(8, 2), "and not the one for the friend");
}
