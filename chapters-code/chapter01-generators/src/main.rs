//! Runs the programs of chapter 1. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter1::programs::take_turns;
use chapter1::scheduler::Scheduler;
use chapter1::{plain, report, wrong};

const HELP: &str = "\
Chapter 1: functions that stop in the middle

Usage: cargo run -p chapter1 -- [PROGRAM] [--seed N]

Programs:
  (none)     countdown and kid take turns
  plain      what we cannot do yet: two ordinary functions
  steps      one generator, resumed by hand
  trace      countdown and kid, with the queue before each turn
  forgetful  a wrong turn: the kid forgets where it was
  greedy     a wrong turn: the kid does not let go
  costs      what the turns cost

Options:
  --seed N   pick the next task at random; the same N makes the same choices
             (for countdown and kid, and for trace)
  --help     show this help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter1: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Runs the program that the arguments ask for, or says what is wrong with them.
fn run(arguments: &[String]) -> Result<(), String> {
    let mut program = None;
    let mut seed = None;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            "--seed" => {
                let text = arguments.next().ok_or("--seed needs a number")?;
                let number = text
                    .parse()
                    .map_err(|_| format!("--seed needs a whole number, not '{text}'"))?;
                seed = Some(number);
            }
            name if program.is_none() && !name.starts_with('-') => program = Some(name),
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    let scheduler = seed.map_or_else(Scheduler::new, Scheduler::with_seed);
    match program {
        None => take_turns(scheduler),
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
