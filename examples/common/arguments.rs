//! The arguments of an example.

use std::env;
use std::process;

#[path = "../../chapters-code/common/pipe.rs"]
mod pipe;

/// What the arguments mean to `understand`. Ends the program after `--help`, and where they mean nothing; and from now on where nobody
/// reads what it prints.
pub(crate) fn read<T>(help: &str, understand: impl FnOnce(&[&str]) -> Option<T>) -> T {
    pipe::end_with_the_reader();
    // What is not UTF-8 is no argument of an example; it comes out as one that is not understood.
    let given: Vec<String> = env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    if given.iter().any(|argument| matches!(*argument, "--help" | "-h")) {
        print!("{help}");
        process::exit(0);
    }
    understand(&given).unwrap_or_else(|| {
        let name = env!("CARGO_CRATE_NAME");
        eprintln!("{name}: does not understand {:?}; try --help", given.join(" "));
        process::exit(2)
    })
}
