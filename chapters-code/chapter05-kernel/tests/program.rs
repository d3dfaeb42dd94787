//! The program of chapter 5: what it prints, and what it says to bad arguments.

#[path = "../../common/program.rs"]
mod program;

#[path = "../../common/ladder.rs"]
mod ladder;

use std::collections::BTreeSet;

use chapter5::programs::{self, report, towers, voice};
use chapter5::{Error, Kernel, wrong};
use ladder::Stage;
use program::Program;

const CHAPTER5: Program = Program {
    name: "chapter5",
    path: env!("CARGO_BIN_EXE_chapter5"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &[
        "calls",
        "ping-pong",
        "polite",
        "both-here",
        "towers",
        "ps",
        "bare-index",
    ],
    without_seed: &[],
    without_record: &["ps"],
};

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER5.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER5.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER5.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER5.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER5.check_bad_arguments();
}

#[test]
fn what_is_said_does_not_depend_on_the_schedule() {
    let starts: [fn(&Kernel); 4] = [
        programs::family,
        programs::calls,
        programs::ping_pong,
        towers::start,
    ];
    for start in starts {
        let said = |seed| -> BTreeSet<String> {
            let kernel = report::kernel(seed);
            start(&kernel);
            let (ended, said) = voice::listen(|| kernel.run_all());
            ended.expect("all end");
            said.into_iter().collect()
        };
        let expected = said(None);
        for seed in 0..200 {
            assert_eq!(said(Some(seed)), expected, "seed {seed}");
        }
    }
}

#[test]
fn a_bare_index_is_a_lost_wake_up() {
    let kernel = Kernel::new();
    wrong::bare_index::start(&kernel);
    let (ended, said) = voice::listen(|| kernel.run_all());
    assert!(matches!(ended, Err(Error::Deadlock(_))));
    assert_eq!(
        said.last().map(String::as_str),
        Some("parent: The pizza is here!")
    );
}

#[test]
fn all_waiting_goes_through_one_function() {
    Stage(CHAPTER5.package).check_the_one_door();
}

#[test]
fn its_names_and_files_are_those_of_the_crate() {
    // Threads have another door in chapter 12.
    Stage(CHAPTER5.package).check_against_the_crate(&["spawn_thread"]);
}

#[test]
fn what_the_programs_of_chapter_4_print_has_not_changed() {
    let (here, before) = (
        Stage(CHAPTER5.package),
        Stage(concat!(env!("CARGO_MANIFEST_DIR"), "/../chapter04-wakers")),
    );
    for name in ["family", "calls", "ping-pong", "both-here"] {
        let path = format!("transcripts/{name}.txt");
        let (new, old) = (here.read(&path), before.read(&path));
        let (new, old) = (new.split_once('\n').unwrap(), old.split_once('\n').unwrap());
        assert_eq!(new.1, old.1, "{name}");
    }
}

#[test]
fn join2_is_that_of_chapter_3_to_the_letter() {
    let chapter3 = Stage(concat!(env!("CARGO_MANIFEST_DIR"), "/../chapter03-async"));
    let here = Stage(CHAPTER5.package).read("src/programs/join2.rs");
    assert_eq!(here, chapter3.read("wrong/join2.rs"));
}
