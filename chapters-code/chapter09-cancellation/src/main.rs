//! Runs the programs of chapter 9. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter9::Kernel;
use chapter9::goodbye;
use chapter9::programs::{self, record, report};
use chapter9::wrong::dropping;

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 9: cancellation delivered as a value

Usage: cargo run -p chapter9 -- [PROGRAM] [--seed N] [--record]

Programs, on the virtual clock:
  (none)      the kid of chapter 6 is called, and says its goodbye
  old-kid     the same with the kid that knows nothing of it
  two-ears    a kid that does two things, and hears with one of them
  dropping    a wrong turn: to cancel by dropping

Programs of chapter 6, unchanged:
  patient     the parent who waits until the kid is ready
  dormitory   who wakes up when
  watchman    a round every ten seconds, however long it takes
  kettles     two sleeps at once
  calls       a channel between two who have their own idea of time

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
            eprintln!("chapter9: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Puts the program into the kernel.
fn start(program: Option<&str>) -> Option<fn(&Kernel)> {
    Some(match program {
        None => goodbye::family,
        Some("old-kid") => goodbye::old_kid,
        Some("two-ears") => goodbye::two_ears,
        Some("dropping") => dropping::start,
        Some("patient") => programs::family,
        Some("dormitory") => |kernel| drop(kernel.spawn(programs::dormitory())),
        Some("watchman") => |kernel| drop(kernel.spawn(programs::watchman())),
        Some("kettles") => |kernel| drop(kernel.spawn(programs::kettles())),
        Some("calls") => |kernel| drop(kernel.spawn(programs::calls())),
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
