//! Quoted compiler errors are those of this compiler: code, main message and line.

#[path = "../../chapters-code/common/errors.rs"]
mod errors;

use std::fs;

const PROGRAM: &str = "\
fn take(_: String) {}

pub fn twice(text: String) {
    take(text);
    take(text);
}
";

const STORED: &str = "\
error[E0382]: use of moved value: `text`
 --> errors/moved.rs:5:10
  |
3 | pub fn twice(text: String) {
  |              ---- move occurs because `text` has type `String`
";

/// What the check says of a program and of what is stored for it.
fn check(program: &str, stored: &str) -> Result<(), String> {
    let package = tempfile::tempdir().expect("a temporary folder");
    let folder = package.path().join("errors");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("moved.rs"), program).expect("written");
    fs::write(folder.join("moved.txt"), stored).expect("written");
    errors::check(package.path(), "curio")
}

#[test]
fn code_message_and_line_are_compared_and_nothing_else() {
    assert_eq!(check(PROGRAM, STORED), Ok(()));
    // The library of the package may be used.
    let with_library = PROGRAM.replace(
        "fn take(_: String) {}",
        "fn take(_: String) { let _: Option<curio::Error> = None; }",
    );
    assert_eq!(check(&with_library, STORED), Ok(()));
    for (old, new) in [
        ("E0382", "E0381"),
        ("moved value", "a moved value"),
        (":5:10", ":4:10"),
    ] {
        let told = check(PROGRAM, &STORED.replace(old, new)).expect_err(old);
        assert!(told.contains("stored:") && told.contains("E0382"), "{told}");
    }
    let told = check("pub fn right() {}\n", STORED).expect_err("it compiles");
    assert!(told.contains("compiled now: []"), "{told}");
    assert!(check("pub fn right() {}\n", "").is_err());
}

#[test]
fn errors_without_a_code_and_warnings_are_told_apart() {
    let text = "warning: unused\n --> a.rs:1:2\n\nerror: expected `;`\n --> a.rs:3:4\n\nerror: aborting due to 1 error\n";
    assert_eq!(
        errors::said(text),
        [(String::new(), "expected `;`".to_owned(), 3)]
    );
}
