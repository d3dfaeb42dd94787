//! Counts what one operation costs: user instructions, system calls, bytes.
//!
//! Wall time says little on a shared machine; instructions are repeatable to a
//! fraction of a percent, so the targets are set in them. Needs valgrind for
//! the instructions and strace for the system calls, nothing else; rows whose
//! tool is missing are skipped.

#[allow(dead_code, reason = "each bench target uses its part of the scenarios")]
#[path = "../common/mod.rs"]
mod common;
mod measure;
mod rows;

use common::{RUNTIMES, Runtime};
use measure::{CHILD, Result, Tools};
use rows::{Measure, ROWS, Row};
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
Counts instructions, system calls and bytes of one operation, curio beside other runtimes.

cargo bench --bench instructions -- [OPTIONS] [ROW]...

ROW               only the rows whose name contains one of these (see --list)
--list            print the names of the rows
--runtime NAME    measure this runtime alone: curio, tokio or smol
--no-fail         exit with 0 even where curio missed a target
--keep DIRECTORY  keep the profiles, to be read with callgrind_annotate
--help            print this

The table goes to standard output as Markdown, progress to standard error.
The exit code is 1 where curio takes more than the column \"at most\" allows.";

/// Without one of these, the program was started to be tested.
const DIRECT: [&str; 4] = ["--bench", "--help", "-h", "--list"];

/// The command line.
#[derive(Debug, Default)]
struct Options {
    selected: Vec<String>,
    runtime: Option<String>,
    no_fail: bool,
    keep: Option<PathBuf>,
}

impl Options {
    fn wants(&self, row: &Row) -> bool {
        self.selected.is_empty() || self.selected.iter().any(|part| row.key.contains(part.as_str()))
    }

    fn runs(&self, runtime: &Runtime) -> bool {
        self.runtime.as_deref().is_none_or(|name| name == runtime.name)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == CHILD => measure::child(rest).map(|()| true),
        // cargo says `--bench` where measurements are wanted; `cargo test --benches` does not.
        _ if arguments.iter().any(|a| DIRECT.contains(&a.as_str())) => bench(&arguments),
        _ => measure::smoke().map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::from(2)
        }
    }
}

/// `Ok(false)` where a target was missed.
fn bench(arguments: &[String]) -> Result<bool> {
    let Some(options) = parse(arguments)? else {
        return Ok(true);
    };
    if let Some(directory) = &options.keep {
        std::fs::create_dir_all(directory)
            .map_err(|error| format!("cannot make the directory {}: {error}", directory.display()))?;
    }
    let rows: Vec<&Row> = ROWS.iter().filter(|row| options.wants(row)).collect();
    let tools = Tools::find(options.keep.clone());
    if !tools.valgrind {
        eprintln!("valgrind is missing or does not work here: the rows that count instructions are skipped");
    }
    if !tools.strace {
        eprintln!("strace is missing or does not work here: the rows that count system calls are skipped");
    }

    println!(
        "| one operation | {} | at most | aim | |",
        RUNTIMES.each_ref().map(|r| r.name).join(" | ")
    );
    println!("|---|{}--:|--:|---|", "--:|".repeat(RUNTIMES.len() + 1));
    let mut missed = Vec::new();
    for row in rows {
        eprintln!("measuring {}", row.key);
        let cells = cells(row, &tools, &options).map_err(|error| format!("{}: {error}", row.key))?;
        let verdict = verdict(row, cells[0]);
        if verdict == Verdict::Missed {
            missed.push(row.key);
        }
        print_row(row, &cells, verdict);
    }
    if missed.is_empty() {
        return Ok(true);
    }
    eprintln!("more than the target allows: {}", missed.join(", "));
    Ok(options.no_fail)
}

/// `None` where the answer is only printed.
fn parse(arguments: &[String]) -> Result<Option<Options>> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .cloned()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            // cargo says so to every bench target.
            "--bench" => {}
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            "--list" => {
                for row in ROWS {
                    println!("{:18} {}", row.key, row.title);
                }
                return Ok(None);
            }
            "--no-fail" => options.no_fail = true,
            "--keep" => options.keep = Some(value()?.into()),
            "--runtime" => {
                let name = value()?;
                if RUNTIMES.iter().all(|runtime| runtime.name != name) {
                    return Err(format!("no runtime {name:?}; try curio, tokio or smol").into());
                }
                options.runtime = Some(name);
            }
            option if option.starts_with('-') => {
                return Err(format!("no option {option:?}; try --help").into());
            }
            part if ROWS.iter().any(|row| row.key.contains(part)) => options.selected.push(part.into()),
            part => return Err(format!("no row contains {part:?}; try --list").into()),
        }
    }
    Ok(Some(options))
}

/// One number per runtime, in the order of [`RUNTIMES`]; `None` where nothing was measured.
fn cells(row: &Row, tools: &Tools, options: &Options) -> Result<[Option<f64>; RUNTIMES.len()]> {
    let mut cells = [None; RUNTIMES.len()];
    if let Measure::EchoTime(requests) = &row.measure {
        // Relative to tokio's, so all are measured whichever were asked for.
        let times = measure::echo_times(&RUNTIMES, requests)?;
        let tokio = RUNTIMES
            .iter()
            .position(|runtime| runtime.name == "tokio")
            .ok_or("no tokio")?;
        for (cell, time) in cells.iter_mut().zip(&times) {
            *cell = Some(time / times[tokio]);
        }
        return Ok(cells);
    }
    if let Measure::ThreadTime(scenario, items) = row.measure {
        // They take turns, so all are measured here too; but only the first has worker processes, and only if asked for.
        let runtimes = match (scenario, RUNTIMES[0].in_process) {
            ("in-process", None) => {
                eprintln!(
                    "without the feature `process` there is nothing to measure: {} is skipped",
                    row.key
                );
                return Ok(cells);
            }
            ("in-process", Some(_)) => &RUNTIMES[..1],
            _ => &RUNTIMES[..],
        };
        let times = measure::thread_times(runtimes, scenario, items)?;
        return Ok(std::array::from_fn(|i| times.get(i).copied()));
    }
    for (cell, runtime) in cells.iter_mut().zip(&RUNTIMES) {
        // How a runtime grows is compared with itself; others only for who asks.
        let foreign = matches!(row.measure, Measure::Growth { .. }) && runtime.name != RUNTIMES[0].name;
        let lacking = row.key == "switch-monitor" && runtime.switch_monitored.is_none();
        if options.runs(runtime) && !lacking && (!foreign || options.runtime.is_some()) {
            *cell = measure(row, tools, runtime)?;
        }
    }
    Ok(cells)
}

fn measure(row: &Row, tools: &Tools, runtime: &Runtime) -> Result<Option<f64>> {
    Ok(match &row.measure {
        Measure::Instructions(difference) if tools.valgrind => Some(tools.instructions(runtime, difference)?),
        Measure::Growth { small, large } if tools.valgrind => {
            Some(tools.instructions(runtime, large)? / tools.instructions(runtime, small)?)
        }
        Measure::EchoInstructions(requests) if tools.valgrind => {
            Some(tools.echo_instructions(runtime, requests)?)
        }
        Measure::EchoCalls(requests) if tools.strace => Some(measure::echo_calls(runtime, requests)?),
        Measure::SleepingMemory(tasks) => Some(measure::sleeping_memory(runtime, *tasks)?),
        Measure::ConnectionMemory(connections) => Some(measure::connection_memory(runtime, *connections)?),
        Measure::Instructions(_)
        | Measure::Growth { .. }
        | Measure::EchoInstructions(_)
        | Measure::EchoCalls(_) => None,
        // Of all runtimes at once: see `cells`.
        Measure::EchoTime(_) | Measure::ThreadTime(..) => None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Skipped,
    AimReached,
    Kept,
    Missed,
    /// Missed, by a number that depends on the clock.
    Slower,
}

fn verdict(row: &Row, curio: Option<f64>) -> Verdict {
    let Some(value) = curio else {
        return Verdict::Skipped;
    };
    // What the table prints is what is compared.
    let value = rounded(row, value);
    match &row.measure {
        _ if value <= row.aim => Verdict::AimReached,
        _ if value <= row.at_most => Verdict::Kept,
        Measure::EchoTime(_) | Measure::ThreadTime(..) => Verdict::Slower,
        _ => Verdict::Missed,
    }
}

/// How many digits after the point a row is given with.
fn digits(row: &Row) -> usize {
    match row.measure {
        Measure::Instructions(_)
        | Measure::EchoInstructions(_)
        | Measure::ThreadTime(..)
        | Measure::SleepingMemory(_)
        | Measure::ConnectionMemory(_) => 0,
        Measure::EchoCalls(_) | Measure::EchoTime(_) | Measure::Growth { .. } => 2,
    }
}

fn rounded(row: &Row, value: f64) -> f64 {
    let scale = 10_f64.powi(digits(row) as i32);
    (value * scale).round() / scale
}

fn print_row(row: &Row, cells: &[Option<f64>], verdict: Verdict) {
    let digits = digits(row);
    let mut line = format!("| {} |", row.title);
    for cell in cells {
        line += &match cell {
            Some(value) => format!(" {value:.digits$} |"),
            None => " - |".into(),
        };
    }
    let verdict = match verdict {
        Verdict::Skipped => "skipped".into(),
        Verdict::AimReached => "aim reached".into(),
        Verdict::Kept => "kept".into(),
        Verdict::Slower => "slower (not a failure: time)".into(),
        Verdict::Missed => {
            let value = rounded(row, cells[0].unwrap_or_default());
            format!("**missed by {:.0} %**", (value / row.at_most - 1.0) * 100.0)
        }
    };
    println!(
        "{line} {:.digits$} | {:.digits$} | {verdict} |",
        row.at_most, row.aim
    );
}
