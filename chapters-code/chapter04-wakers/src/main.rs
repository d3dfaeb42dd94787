//! Runs the programs of chapter 4. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter4::kernel::Kernel;
use chapter4::wrong::{busy, late};
use chapter4::{both_here, postman, programs, report};

#[path = "../../common/arguments.rs"]
mod arguments;
use arguments::Wish;

const HELP: &str = "\
Chapter 4: who knocks?

Usage: cargo run -p chapter4 -- [PROGRAM] [--seed N]

Programs:
  (none)      a parent starts a kid and waits for its end
  calls       the parent calls, the kid obeys: a channel
  ping-pong   two tasks and two channels
  polite      a deadlock: both players wait for the ball
  both-here   to wait for two at once
  postman     a thread rings, and a task waits for it
  trace       calls, with the queue and the notes of each turn
  trace-both  both-here, with the queue and the notes of each turn
  ps          two programs at once, and the task table now and then
  foreign     a future that waits, and nobody will wake it
  busy        a wrong turn: to look again and again
  late        a wrong turn: to look first, and to leave a waker too late
  costs       what it costs

Options:
  --seed N    pick the next task at random; the same N makes the same choices
              (for all but costs)
  --help      show this help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter4: {message}; try --help");
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
        Some("both-here") => both_here::start(&mut kernel),
        Some("postman") => postman::start(&mut kernel),
        Some("foreign") => report::foreign(&mut kernel),
        Some("busy") => busy::start(&mut kernel, 3),
        Some("late") => late::start(&mut kernel),
        Some("trace") => report::trace(&mut kernel),
        Some("trace-both") => report::trace_both(&mut kernel),
        Some("ps") => report::ps(&mut kernel),
        Some("costs") if seed.is_some() => return Err("'costs' takes no --seed".to_string()),
        Some("costs") => report::costs(),
        Some(other) => return Err(format!("no program is called '{other}'")),
    }
    report::run(kernel);
    Ok(())
}
