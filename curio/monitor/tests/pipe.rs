//! The program where nobody reads what it prints, as behind `| head -1`: it ends, and says nothing.

use std::process::Command;

#[test]
fn it_ends_quietly_when_nobody_reads() {
    // No program has this number, so nobody is looked at.
    for arguments in [&["--help"][..], &["--list"], &["0", "ps"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let program = env!("CARGO_BIN_EXE_curio-monitor");
        let output = Command::new(program).args(arguments).stdout(writer).output();
        let output = output.expect("the program starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(101), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
    }
}
