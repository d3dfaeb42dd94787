//! The program of chapter 4: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use chapter4::channel::Channel;
use chapter4::kernel::Kernel;
use chapter4::task::yield_now;
use chapter4::wrong::late;
use chapter4::{programs, voice};
use program::Program;

const CHAPTER4: Program = Program {
    name: "chapter4",
    path: env!("CARGO_BIN_EXE_chapter4"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &[
        "calls",
        "ping-pong",
        "polite",
        "both-here",
        "postman",
        "trace",
        "trace-both",
        "ps",
        "foreign",
        "busy",
        "late",
        "costs",
    ],
    without_seed: &["costs"],
    without_record: &["trace", "trace-both", "ps", "costs"],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER4.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER4.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER4.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER4.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER4.check_bad_arguments();
}

#[test]
fn what_is_said_does_not_depend_on_the_schedule() {
    for start in [programs::family, programs::calls, |kernel: &mut Kernel| {
        programs::ping_pong(kernel, 9);
    }] {
        let said = |mut kernel: Kernel| -> BTreeSet<String> {
            start(&mut kernel);
            let (ended, said) = voice::listen(|| kernel.run_all());
            assert_eq!(ended, Ok(()));
            said.into_iter().collect()
        };
        let expected = said(Kernel::new());
        for seed in 0..200 {
            assert_eq!(said(Kernel::with_seed(seed)), expected, "seed {seed}");
        }
    }
}

#[test]
fn a_late_waker_is_a_lost_wake_up() {
    for _ in 0..50 {
        let mut kernel = Kernel::new();
        late::start(&mut kernel);
        let (ended, said) = voice::listen(|| kernel.run_all());
        assert!(ended.is_err());
        assert_eq!(said, ["parent: I wait for the postman."]);
    }
}

#[test]
fn who_was_woken_may_be_overtaken_and_waits_at_the_end_again() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let mut kernel = Kernel::new();
    let channel = Channel::new();
    for name in ["first", "second"] {
        let (channel, heard) = (channel.clone(), heard.clone());
        kernel.spawn(name, async move {
            let message = channel.receive().await;
            heard.borrow_mut().push((name, message));
        });
    }
    let also = heard.clone();
    kernel.spawn("quick", async move {
        yield_now().await;
        channel.send("one".to_string()); // wakes the first, who has no turn yet
        let message = channel.receive().await;
        also.borrow_mut().push(("quick", message));
        yield_now().await;
        channel.send("two".to_string());
    });
    assert!(kernel.run_all().is_err(), "two messages for three");
    let heard: Vec<_> = heard.borrow().iter().map(|(name, _)| *name).collect();
    assert_eq!(heard, ["quick", "second"]);
}
