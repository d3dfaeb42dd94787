//! Runs the programs of chapter 6. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter6::Kernel;
use chapter6::programs::{self, record, report};
use chapter6::wrong::looking;

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 6: time

Usage: cargo run -p chapter6 -- [PROGRAM] [--seed N] [--record]

Programs, on the virtual clock:
  (none)      five seconds for the shoes, a countdown, and a kid who is busy
  dormitory   who wakes up when
  watchman    a round every ten seconds, however long it takes
  kettles     two sleeps at once
  calls       a channel between two who have their own idea of time
  looking     a wrong turn: to look at the clock again and again

Options:
  --seed N    pick the next task at random; the same N makes the same choices
  --record    print the trace of the run, for the player of the book
  --help      show this help
";

fn main() -> ExitCode {
    pipe::end_with_the_reader();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter6: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Puts the program into the kernel.
fn start(program: Option<&str>) -> Option<fn(&Kernel)> {
    Some(match program {
        None => programs::family,
        Some("dormitory") => |kernel| drop(kernel.spawn(programs::dormitory())),
        Some("watchman") => |kernel| drop(kernel.spawn(programs::watchman())),
        Some("kettles") => |kernel| drop(kernel.spawn(programs::kettles())),
        Some("calls") => |kernel| drop(kernel.spawn(programs::calls())),
        Some("looking") => looking::start,
        Some(_) => return None,
    })
}

/// Runs the program that the arguments ask for, or says what is wrong with them.
fn run(wish: Wish) -> Result<(), String> {
    let Wish::Run {
        program,
        seed,
        record,
    } = wish
    else {
        print!("{HELP}");
        return Ok(());
    };
    let name = program.as_deref().unwrap_or_default();
    let start = start(program.as_deref()).ok_or(format!("no program is called '{name}'"))?;
    if record {
        print!("{}", record::record(seed, start).0);
    } else {
        let kernel = report::kernel(seed);
        start(&kernel);
        report::run(&kernel);
    }
    Ok(())
}
