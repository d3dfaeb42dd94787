//! Runs the programs of chapter 4. `--help` lists them.

use std::env;
use std::process::ExitCode;

use chapter4::kernel::Kernel;
use chapter4::wrong::{busy, late};
use chapter4::{both_here, postman, programs, record, report};

#[path = "../../common/arguments.rs"]
mod arguments;
#[path = "../../common/pipe.rs"]
mod pipe;
use arguments::Wish;

const HELP: &str = "\
Chapter 4: who knocks?

Usage: cargo run -p chapter4 -- [PROGRAM] [--seed N] [--record]

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
            eprintln!("chapter4: {message}; try --help");
            ExitCode::from(2)
        }
    }
}

/// Puts the program into the kernel. False if it is none of those that a kernel runs.
fn start(program: Option<&str>, kernel: &mut Kernel) -> bool {
    match program {
        None => programs::family(kernel),
        Some("calls") => programs::calls(kernel),
        Some("ping-pong") => programs::ping_pong(kernel, 3),
        Some("polite") => programs::polite(kernel),
        Some("both-here") => both_here::start(kernel),
        Some("postman") => postman::start(kernel),
        Some("foreign") => report::foreign(kernel),
        Some("busy") => busy::start(kernel, 3),
        Some("late") => late::start(kernel),
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
        "trace" | "trace-both" | "ps" | "costs" if record => {
            return Err(format!("'{name}' takes no --record"));
        }
        "trace" => report::trace(&mut kernel),
        "trace-both" => report::trace_both(&mut kernel),
        "ps" => report::ps(&mut kernel),
        "costs" if seed.is_some() => return Err("'costs' takes no --seed".to_string()),
        "costs" => report::costs(),
        _ => return Err(format!("no program is called '{name}'")),
    }
    report::run(kernel);
    Ok(())
}
