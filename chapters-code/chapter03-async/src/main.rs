//! Runs the programs of chapter 3. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter3::kernel::Kernel;
use chapter3::wrong::left_behind;
use chapter3::{pinned, programs, report};

#[path = "../../common/arguments.rs"]
mod arguments;
use arguments::Wish;

const HELP: &str = "\
Chapter 3: the compiler writes the state machine

Usage: cargo run -p chapter3 -- [PROGRAM] [--seed N]

Programs:
  (none)       a parent starts a kid and waits for its end
  calls        the parent calls, the kid obeys: a channel
  ping-pong    two tasks and two channels
  polite       a deadlock: both players wait for the ball
  trace        calls, with the queue and the request of each turn
  ps           two programs at once, and the task table now and then
  pin          a future that holds a reference into itself
  foreign      a future that waits and asks for nothing
  left-behind  a wrong turn: to wait for two at once
  trace-left   left-behind, with the queue and the request of each turn
  costs        what it costs

Options:
  --seed N     pick the next task at random; the same N makes the same choices
               (for all but pin and costs)
  --help       show this help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter3: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Runs the program that the arguments ask for, or says what is wrong with them.
fn run(wish: Wish) -> Result<(), String> {
    let Wish::Run { program, seed } = wish else {
        print!("{HELP}");
        return Ok(());
    };
    let mut kernel = seed.map_or_else(Kernel::new, Kernel::with_seed);
    match program.as_deref() {
        None => programs::family(&mut kernel),
        Some("calls") => programs::calls(&mut kernel),
        Some("ping-pong") => programs::ping_pong(&mut kernel, 3),
        Some("polite") => programs::polite(&mut kernel),
        Some("foreign") => report::foreign(&mut kernel),
        Some("left-behind") => left_behind::start(&mut kernel),
        Some("trace") => report::trace(&mut kernel),
        Some("trace-left") => report::trace_left(&mut kernel),
        Some("ps") => report::ps(&mut kernel),
        Some(name @ ("pin" | "costs")) if seed.is_some() => {
            return Err(format!("'{name}' takes no --seed"));
        }
        Some("pin") => pinned::run(),
        Some("costs") => report::costs(),
        Some(other) => return Err(format!("no program is called '{other}'")),
    }
    report::run(kernel);
    Ok(())
}
