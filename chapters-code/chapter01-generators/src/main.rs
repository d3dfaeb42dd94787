//! Runs the programs of chapter 1. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter1::programs::take_turns;
use chapter1::scheduler::Scheduler;
use chapter1::{plain, record, report, wrong};

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 1: functions that stop in the middle

Usage: cargo run -p chapter1 -- [PROGRAM] [--seed N] [--record]

Programs:
  (none)      countdown and kid take turns
  plain       what we cannot do yet: two ordinary functions
  steps       one generator, resumed by hand
  trace       countdown and kid, with the queue before each turn
  forgetful   a wrong turn: the kid forgets where it was
  greedy      a wrong turn: the kid does not let go
  costs       what the turns cost

Options:
  --seed N    pick the next task at random; the same N makes the same choices
              (for countdown and kid, and for trace)
  --record    print the trace of the run, for the player of the book
              (for countdown and kid)
  --help      show this help
";

fn main() -> ExitCode {
    pipe::end_with_the_reader();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter1: {message}; try --help");
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
    let program = program.as_deref();
    let scheduler = seed.map_or_else(Scheduler::new, Scheduler::with_seed);
    match program {
        None if record => print!("{}", record::record(scheduler, seed)),
        None => take_turns(scheduler),
        Some(name) if record => return Err(format!("'{name}' takes no --record")),
        Some("trace") => report::trace(scheduler),
        Some(name) if seed.is_some() => return Err(format!("'{name}' takes no --seed")),
        Some("plain") => plain::run(),
        Some("steps") => report::steps(),
        Some("forgetful") => wrong::forgetful(),
        Some("greedy") => wrong::greedy(),
        Some("costs") => report::costs(),
        Some(other) => return Err(format!("no program is called '{other}'")),
    }
    Ok(())
}
