//! Runs the programs of chapter 2. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter2::kernel::Kernel;
use chapter2::{polling, programs, report, wrong};

#[path = "../../common/arguments.rs"]
mod arguments;
use arguments::Wish;

const HELP: &str = "\
Chapter 2: asking the kernel

Usage: cargo run -p chapter2 -- [PROGRAM] [--seed N]

Programs:
  (none)      a parent starts a kid and waits for its end
  polling     what we cannot do yet: the parent asks again and again
  calls       the parent calls, the kid obeys: a channel
  ping-pong   two tasks and two channels
  polite      a deadlock: both players wait for the ball
  trace       calls, with the queue and the request of each turn
  ps          two programs at once, and the task table now and then
  by-message  a wrong turn: a message instead of a join
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
            eprintln!("chapter2: {message}; try --help");
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
        Some("polling") => polling::start(&mut kernel, 3),
        Some("calls") => programs::calls(&mut kernel),
        Some("ping-pong") => programs::ping_pong(&mut kernel, 3),
        Some("polite") => programs::polite(&mut kernel),
        Some("by-message") => wrong::start(&mut kernel, &["parent", "grandma"]),
        Some("trace") => report::trace(&mut kernel),
        Some("ps") => report::ps(&mut kernel),
        Some("costs") if seed.is_some() => return Err("'costs' takes no --seed".to_string()),
        Some("costs") => report::costs(),
        Some(other) => return Err(format!("no program is called '{other}'")),
    }
    report::run(kernel);
    Ok(())
}
