//! Runs the programs of chapter 5. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter5::Kernel;
use chapter5::programs::{self, both_here, record, report, towers};
use chapter5::wrong::bare_index;

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 5: a kernel for tasks that may fail

Usage: cargo run -p chapter5 -- [PROGRAM] [--seed N] [--record]

Programs:
  (none)      a parent starts a kid and waits for its end
  calls       the parent calls, the kid obeys: a channel
  ping-pong   two tasks and two channels
  polite      a deadlock: both players wait for the ball
  both-here   to wait for two at once
  towers      one gives a value, one panics, one fails
  ps          two programs at once, and the task table now and then
  bare-index  a wrong turn: a place on a slab says nothing of who is there

Options:
  --seed N    pick the next task at random; the same N makes the same choices
  --record    print the trace of the run, for the player of the book
              (for all but ps)
  --help      show this help
";

fn main() -> ExitCode {
    pipe::end_with_the_reader();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter5: {message}; try --help");
            ExitCode::from(2)
        }
    }
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
    let start: fn(&Kernel) = match program.as_deref() {
        None => programs::family,
        Some("calls") => programs::calls,
        Some("ping-pong") => programs::ping_pong,
        Some("polite") => programs::polite,
        Some("both-here") => both_here::start,
        Some("towers") => towers::start,
        Some("ps") if record => return Err("'ps' takes no --record".to_string()),
        Some("ps") => report::ps,
        Some("bare-index") => bare_index::start,
        Some(name) => return Err(format!("no program is called '{name}'")),
    };
    if record {
        print!("{}", record::record(seed, start).0);
    } else {
        let kernel = report::kernel(seed);
        start(&kernel);
        report::run(&kernel);
    }
    Ok(())
}
