//! Makes projects of exercises, and shows what is done in them.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::Fixture;

fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        // Nobody looks for a bug there, and without what that needs it is compiled sooner.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .expect("cargo runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_project_stands_by_itself_and_shows_what_is_done() {
    let fixture = Fixture::with_chapter();
    let dir = fixture.0.path().join("mine");
    let name = dir.to_string_lossy().into_owned();
    let output = fixture
        .book(&["start", &name])
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    assert!(
        text(&output.stdout).contains("cargo test --test ch01 e1"),
        "{output:?}"
    );
    assert!(!dir.join("book").exists() && !dir.join("demo").exists());

    // The path that the page names, and its command.
    let stub = dir.join("exercises/ch01/e1_way.rs");
    std::fs::write(&stub, "pub fn way() -> u32 {\n    7\n}\n").expect("written");
    let tests = cargo(
        &dir,
        &["test", "--offline", "-p", "exercises", "--test", "ch01", "e1"],
    );
    assert!(tests.status.success(), "{tests:?}");

    let progress = || {
        let mut command = fixture.book(&["progress", &name]);
        let output = command
            .env("CARGO_TARGET_DIR", dir.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .expect("runs");
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    let expected = "Chapter 1\n  [x] e1_way               done\n  [ ] e2_road              0 of 1 test pass\n\
        1 of 2 exercises done\n";
    assert_eq!(progress(), expected);
    std::fs::write(&stub, "pub fn way() -> u32 {\n").expect("written");
    assert!(
        progress()
            .contains("[ ] e1_way               does not compile: cargo test -p exercises --test ch01\n")
    );

    // What somebody has begun is not overwritten.
    let output = fixture
        .book(&["start", &name])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("is there already: name a new folder"),
        "{output:?}"
    );
}

/// The real exercises: they compile there, and the stubs fail by their `todo!`.
#[test]
fn the_exercises_of_the_book_stand_by_themselves() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let dir = place.path().join("mine");
    let output = Command::new(env!("CARGO_BIN_EXE_book"))
        .args(["start", &dir.to_string_lossy()])
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    let tests = cargo(&dir, &["test", "--offline", "--test", "ch01"]);
    assert!(text(&tests.stdout).contains("not yet implemented: "), "{tests:?}");
    let solved = cargo(
        &dir,
        &["test", "--offline", "--test", "ch01", "--features", "solutions"],
    );
    assert!(solved.status.success(), "{solved:?}");
}

#[test]
fn the_difference_of_two_stages_is_printed() {
    let diff = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_book"))
            .arg("diff")
            .args(arguments)
            .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the program runs");
        (
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (success, printed, _) = diff(&["2", "3"]);
    assert!(
        success && printed.contains("--- /dev/null\n+++ chapter3/src/adapter.rs\n@@ "),
        "{printed}"
    );
    assert!(
        printed.contains("--- chapter2/src/polling.rs\n+++ /dev/null\n@@ "),
        "{printed}"
    );
    assert!(!printed.contains("src/kernel.rs"), "{printed}");
    assert_eq!(diff(&["3"]), (true, printed, String::new()));
    assert_eq!(
        diff(&["99"]),
        (false, String::new(), "there is no stage 99\n".to_owned())
    );
}

/// As behind `| head -1`.
#[test]
fn it_ends_quietly_when_nobody_reads() {
    for arguments in [&["--help"][..], &["check", "--help"], &["diff", "3", "4"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let program = env!("CARGO_BIN_EXE_book");
        let output = Command::new(program).args(arguments).stdout(writer).output();
        let output = output.expect("the program starts");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
}
