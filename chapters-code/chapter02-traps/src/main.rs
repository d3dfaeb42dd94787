//! Runs the programs of chapter 2. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter2::kernel::Kernel;
use chapter2::{polling, programs, record, report, wrong};

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 2: asking the kernel

Usage: cargo run -p chapter2 -- [PROGRAM] [--seed N] [--record]

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
  --record    print the trace of the run, for the player of the book
              (for programs that a kernel runs to their end)
  --help      show this help
";

fn main() -> ExitCode {
    pipe::end_with_the_reader();
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("chapter2: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Puts the program into the kernel. False if it is none of those that a kernel runs.
fn start(program: Option<&str>, kernel: &mut Kernel) -> bool {
    match program {
        None => programs::family(kernel),
        Some("polling") => polling::start(kernel, 3),
        Some("calls") => programs::calls(kernel),
        Some("ping-pong") => programs::ping_pong(kernel, 3),
        Some("polite") => programs::polite(kernel),
        Some("by-message") => wrong::start(kernel, &["parent", "grandma"]),
        _ => return false,
    }
    true
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
    let mut kernel = seed.map_or_else(Kernel::new, Kernel::with_seed);
    let name = program.as_deref().unwrap_or_default();
    if start(program.as_deref(), &mut kernel) {
        match record {
            true => print!("{}", record::record(&mut kernel, seed)),
            false => report::run(kernel),
        }
        return Ok(());
    }
    match name {
        "trace" | "ps" | "costs" if record => {
            return Err(format!("'{name}' takes no --record"));
        }
        "trace" => report::trace(&mut kernel),
        "ps" => report::ps(&mut kernel),
        "costs" if seed.is_some() => return Err("'costs' takes no --seed".to_string()),
        "costs" => report::costs(),
        _ => return Err(format!("no program is called '{name}'")),
    }
    report::run(kernel);
    Ok(())
}
