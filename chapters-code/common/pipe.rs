//! How a program ends when nobody reads what it prints any more, as in `cargo run -p chapter1 -- steps | head -1`.
//!
//! The system would simply end it, as it does with other programs. But a program in Rust asks to be given an error instead, and
//! `println!` makes a panic of that. To print with `writeln!` and hand the error on would be in the way of all that the programs
//! show. So whoever wants to report a panic looks first whether it is this one.
//!
//! Each program includes this file by `#[path]`.

use std::io::{self, ErrorKind, Write as _};
use std::panic;
use std::process;

/// What a shell says of a program that the system has ended so.
const ENDED_WITH_ITS_READER: i32 = 141;

/// From now on this program ends quietly when `println!` finds that nobody reads any more.
pub(crate) fn end_with_the_reader() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        let is_about_printing = said.is_some_and(|said| said.starts_with("failed printing to stdout"));
        // There are other reasons not to be able to print, such as a full disk.
        if is_about_printing && nobody_reads() {
            process::exit(ENDED_WITH_ITS_READER);
        }
        report(panic);
    }));
}

fn nobody_reads() -> bool {
    let printed = io::stdout().write_all(b"\n");
    printed.is_err_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
