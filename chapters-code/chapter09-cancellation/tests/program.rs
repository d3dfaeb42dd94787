//! The program of chapter 9: what it prints, what it says to bad arguments, and what has not changed since chapter 6.

#[path = "../../common/program.rs"]
mod program;

#[path = "../../common/ladder.rs"]
mod ladder;

use ladder::Stage;
use program::Program;

const CHAPTER9: Program = Program {
    name: "chapter9",
    path: env!("CARGO_BIN_EXE_chapter9"),
    package: env!("CARGO_MANIFEST_DIR"),
    programs: &[
        "old-kid",
        "two-ears",
        "dropping",
        "patient",
        "dormitory",
        "watchman",
        "kettles",
        "calls",
    ],
    without_seed: &[],
    without_record: &[],
};

const HERE: Stage = Stage(CHAPTER9.package);
const CHAPTER6: Stage = Stage(concat!(env!("CARGO_MANIFEST_DIR"), "/../chapter06-time"));

#[test]
fn transcripts_are_what_the_programs_print() {
    CHAPTER9.check_transcripts();
}

#[test]
fn traces_are_what_the_programs_record() {
    CHAPTER9.check_traces();
}

#[test]
fn every_program_is_in_the_help_and_runs() {
    CHAPTER9.check_programs();
}

#[test]
fn it_ends_quietly_when_nobody_reads() {
    CHAPTER9.check_without_a_reader();
}

#[test]
fn bad_arguments_get_one_clear_line() {
    CHAPTER9.check_bad_arguments();
}

#[test]
fn a_cancelled_task_is_no_news() {
    for program in ["old-kid", "two-ears"] {
        let error = CHAPTER9.run(&[program]).stderr;
        assert_eq!(String::from_utf8_lossy(&error), "", "{program}");
    }
}

#[test]
fn all_waiting_goes_through_one_function() {
    HERE.check_the_one_door();
}

#[test]
fn its_names_and_files_are_those_of_the_crate() {
    // Threads have another door in chapter 12.
    HERE.check_against_the_crate(&["spawn_thread"]);
}

/// The front page, the program, and the three files that tell of cancellation.
const CHANGED: [&str; 5] = ["lib.rs", "main.rs", "traps.rs", "cell.rs", "error.rs"];

#[test]
fn operations_and_programs_are_those_of_chapter_6_to_the_letter() {
    let files = CHAPTER6.files();
    for file in [
        "time.rs",
        "task.rs",
        "kernel.rs",
        "programs.rs",
        "programs/channel.rs",
    ] {
        assert!(files.contains(file), "chapter 6 has no {file}");
    }
    for file in files.iter().filter(|file| !CHANGED.contains(&file.as_str())) {
        let path = format!("src/{file}");
        assert_eq!(
            HERE.read(&path),
            CHAPTER6.read(&path),
            "{path} is not that of chapter 6"
        );
    }
    let new: Vec<String> = HERE.files().difference(&files).cloned().collect();
    assert_eq!(new, ["handle.rs", "interrupt.rs", "programs/goodbye.rs"]);
}

/// The text before the function, with its documentation, and the text after it.
fn around<'a>(text: &'a str, function: &str) -> (&'a str, &'a str) {
    let begin = text
        .find(function)
        .unwrap_or_else(|| panic!("there is no {function}"));
    let (before, rest) = text.split_at(begin);
    let end = rest.find("\n    }\n").expect("its end");
    let before = before.trim_end_matches(|c| c != '}'); // its documentation
    (before, &rest[end..])
}

#[test]
fn in_traps_one_function_has_changed() {
    let (here, before) = (HERE.read("src/traps.rs"), CHAPTER6.read("src/traps.rs"));
    assert_ne!(here, before);
    assert_eq!(around(&here, "    fn trap("), around(&before, "    fn trap("));
}

#[test]
fn to_the_cell_and_the_errors_something_was_added_and_no_line_changed() {
    for (file, most) in [("cell", 3), ("error", 25)] {
        let path = format!("src/{file}.rs");
        let (here, before) = (HERE.read(&path), CHAPTER6.read(&path));
        let mut lines = here.lines();
        for line in before.lines() {
            assert!(
                lines.any(|new| new == line),
                "{path}: this line of chapter 6 is gone: {line}"
            );
        }
        let added = here.lines().count() - before.lines().count();
        assert!((1..=most).contains(&added), "{path}: {added} lines were added");
    }
}

#[test]
fn what_the_programs_of_chapter_6_print_has_not_changed() {
    for (name, program) in [
        ("family", "patient"),
        ("dormitory", "dormitory"),
        ("watchman", "watchman"),
        ("kettles", "kettles"),
        ("calls", "calls"),
    ] {
        let expected = CHAPTER6.read(&format!("transcripts/{name}.txt"));
        let (_, expected) = expected.split_once('\n').expect("a command, and what it prints");
        assert_eq!(CHAPTER9.prints(&[program]), expected, "{name}");
    }
}
