//! `cargo run -p book`: builds the book and serves it on this machine.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use book::listings::Listings;
use book::workspace::Workspace;
use book::{builder, check, progress, server, stages, start};
use lexopt::{Arg, Parser, ValueExt};
use mdbook_preprocessor::Preprocessor;

const HELP: &str = "\
Builds the book and serves it on this machine.

Usage: cargo run -p book                  build, then serve
       cargo run -p book -- build         only build
       cargo run -p book -- check         build, and check everything that the pages say
       cargo run -p book -- diff 3 4      print what changed from stage 3 to stage 4
       cargo run -p book -- start DIR     make a project of your own with the exercises
       cargo run -p book -- progress      show which exercises are done
       cargo run -p book -- preprocess    cut listings for mdbook (it runs this by itself)

Options, when it serves:
  --port N    serve on port N, or the next free one (3000); 0 for any
  --open      open the book in the browser
  -h, --help  print this
";

const HELP_BUILD: &str = "\
Builds the book, checks its links, and prints where it is.

Usage: cargo run -p book -- build
";

const HELP_CHECK: &str = "\
Builds the book and checks its pages: listings, links, the order of sections, exercises and their hints,
invariants and their tests, terms, and that every item of a stage is shown. Then runs the chapters'
programs and compares what they print with what is stored. Each failure is a line with its file and line.

Usage: cargo run -p book -- check
       cargo run -p book -- check --no-run    only look at the files
";

const HELP_DIFF: &str = "\
Prints how the code of a stage differs from that of another, by default from the one before.

Usage: cargo run -p book -- diff 4
       cargo run -p book -- diff 3 4
";

const HELP_START: &str = "\
Makes a project of the exercises in a new folder, with the chapters' code that they need. It stands by
itself: `cargo test --test ch01 e1` runs there, and what you write there is yours.

Usage: cargo run -p book -- start DIR
";

const HELP_PROGRESS: &str = "\
Runs the tests of all exercises and shows which are done: here, or in a project that `start` has made.

Usage: cargo run -p book -- progress
       cargo run -p book -- progress DIR
";

const HELP_PREPROCESS: &str = "\
Replaces {{item ..}}, {{transcript ..}} and the other directives by what they name, between mdbook's
loading of the book (as JSON from standard input) and its rendering (to standard output).

Usage: cargo run -p book -- preprocess                      run by mdbook
       cargo run -p book -- preprocess supports RENDERER    succeeds: any renderer will do
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    Help(&'static str),
    Build,
    Check { run: bool },
    Diff { from: Option<u32>, to: u32 },
    Progress { dir: Option<PathBuf> },
    Serve { port: u16, open: bool },
    Start { dir: PathBuf },
    Preprocess,
    Supports(String),
}

fn main() -> ExitCode {
    let job = match job(env::args_os().skip(1)) {
        Ok(job) => job,
        Err(error) => return fail(format_args!("{error}; see `cargo run -p book -- --help`"), 2),
    };
    match run(job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format_args!("{error:#}"), 1),
    }
}

fn fail(message: impl Display, code: u8) -> ExitCode {
    // If nobody reads the message, the code still tells.
    let _ = writeln!(io::stderr(), "{message}");
    ExitCode::from(code)
}

fn job(arguments: impl Iterator<Item = OsString>) -> Result<Job, lexopt::Error> {
    let mut arguments = Parser::from_args(arguments);
    let mut command: Option<String> = None;
    let mut rest = Vec::new();
    let mut port = None;
    let mut open = false;
    let mut help = false;
    let mut run = true;
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => help = true,
            Arg::Long("port") => port = Some(arguments.value()?.parse()?),
            Arg::Long("open") => open = true,
            Arg::Long("no-run") => run = false,
            Arg::Value(value) if command.is_none() => command = Some(value.string()?),
            Arg::Value(value) => rest.push(value.string()?),
            argument => return Err(argument.unexpected()),
        }
    }
    if !run && command.as_deref() != Some("check") {
        return Err("--no-run belongs to check".into());
    }
    let serving = port.is_some() || open;
    let Some(command) = command else {
        return match help {
            true => Ok(Job::Help(HELP)),
            false => Ok(Job::Serve {
                port: port.unwrap_or(server::PORT),
                open,
            }),
        };
    };
    let Some((_, text)) = COMMANDS.iter().find(|(name, _)| *name == command) else {
        return Err(format!("no command {command:?}").into());
    };
    if serving {
        return Err("--port and --open belong to serving".into());
    }
    if help {
        return Ok(Job::Help(text));
    }
    match (command.as_str(), rest.as_slice()) {
        ("build", []) => Ok(Job::Build),
        ("check", []) => Ok(Job::Check { run }),
        ("diff", [to]) => Ok(Job::Diff {
            from: None,
            to: stage(to)?,
        }),
        ("diff", [from, to]) => Ok(Job::Diff {
            from: Some(stage(from)?),
            to: stage(to)?,
        }),
        ("diff", []) => Err("diff needs the number of a stage".into()),
        ("progress", []) => Ok(Job::Progress { dir: None }),
        ("progress", [dir]) => Ok(Job::Progress {
            dir: Some(dir.into()),
        }),
        ("start", [dir]) => Ok(Job::Start { dir: dir.into() }),
        ("start", []) => Err("start needs the name of a new folder".into()),
        ("preprocess", []) => Ok(Job::Preprocess),
        ("preprocess", [supports, renderer]) if supports == "supports" => Ok(Job::Supports(renderer.clone())),
        (_, [.., last]) => Err(format!("unexpected argument {last:?}").into()),
        (_, []) => unreachable!("every command is above"),
    }
}

/// The commands and their help.
const COMMANDS: [(&str, &str); 6] = [
    ("build", HELP_BUILD),
    ("check", HELP_CHECK),
    ("diff", HELP_DIFF),
    ("preprocess", HELP_PREPROCESS),
    ("progress", HELP_PROGRESS),
    ("start", HELP_START),
];

fn stage(number: &str) -> Result<u32, lexopt::Error> {
    number
        .parse()
        .map_err(|_| format!("{number:?} is not the number of a stage").into())
}

fn run(job: Job) -> Result<()> {
    match job {
        Job::Help(text) => print(text),
        Job::Build => {
            let site = builder::build(&book())?;
            print(format_args!("The book is in {}\n", site.display()))
        }
        Job::Check { run } => {
            let (site, pages) = check::check(&book(), run)?;
            let pages = stages::counted(pages, "page");
            print(format_args!(
                "All is well with {pages}; the book is in {}\n",
                site.display()
            ))
        }
        Job::Diff { from, to } => {
            let workspace = Workspace::load(&book())?;
            let (from, changes) = stages::compare(&workspace, from, to)?;
            print(stages::to_console(from, to, &changes))
        }
        Job::Progress { dir } => {
            let progress = progress::of(&dir.unwrap_or_else(book))?;
            print(progress)
        }
        Job::Start { dir } => {
            let workspace = Workspace::load(&book())?;
            start::make(&workspace, &dir)?;
            let dir = dir.display();
            print(format_args!(
                "Your exercises are in {dir}. Begin with\n\n    cd {dir}\n    cargo test --test ch01 e1\n"
            ))
        }
        Job::Serve { port, open } => {
            let site = builder::build(&book())?;
            server::run(&site, port, |address| {
                print(format_args!("The book is at http://{address} (Ctrl-C ends)\n"))?;
                if open {
                    server::open_browser(address);
                }
                Ok(())
            })
        }
        Job::Preprocess => {
            let (context, book) = mdbook_preprocessor::parse_input(io::stdin())?;
            let book = Listings::default().run(&context, book)?;
            let json = serde_json::to_string(&book)?;
            print(json)
        }
        Job::Supports(renderer) => match Listings::default().supports_renderer(&renderer)? {
            true => Ok(()),
            false => anyhow::bail!("no listings for {renderer}"),
        },
    }
}

fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever reads has seen enough, as `head` has after some lines.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// The folder of the book: this package's, as cargo says when it runs us.
fn book() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Job, String> {
        job(line.split_whitespace().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn command_lines() {
        let serve = |port, open| Job::Serve { port, open };
        for (line, expected) in [
            ("", serve(3000, false)),
            ("--port 80 --open", serve(80, true)),
            ("--port=0", serve(0, false)),
            ("--help", Job::Help(HELP)),
            ("-h --port 1", Job::Help(HELP)),
            ("build", Job::Build),
            ("build --help", Job::Help(HELP_BUILD)),
            ("check", Job::Check { run: true }),
            ("check --no-run", Job::Check { run: false }),
            ("diff 4", Job::Diff { from: None, to: 4 }),
            ("diff 3 4", Job::Diff { from: Some(3), to: 4 }),
            ("start x", Job::Start { dir: "x".into() }),
            ("start --help", Job::Help(HELP_START)),
            ("progress", Job::Progress { dir: None }),
            ("preprocess", Job::Preprocess),
            ("preprocess -h", Job::Help(HELP_PREPROCESS)),
            ("preprocess supports html", Job::Supports("html".to_owned())),
        ] {
            assert_eq!(parsed(line), Ok(expected), "{line}");
        }
    }

    #[test]
    fn bad_command_lines() {
        for (line, expected) in [
            ("--port", "missing argument for option '--port'"),
            ("--port many", "cannot parse argument \"many\""),
            ("--port 70000", "cannot parse argument \"70000\""),
            ("--fast", "invalid option '--fast'"),
            ("-x", "invalid option '-x'"),
            ("bild", "no command \"bild\""),
            ("diff", "diff needs the number"),
            ("diff three", "\"three\" is not the number of a stage"),
            ("diff 1 2 3", "unexpected argument \"3\""),
            ("start", "start needs the name"),
            ("build x", "unexpected argument \"x\""),
            ("build --no-run", "--no-run belongs to check"),
            ("build --port 1", "--port and --open belong to serving"),
            ("preprocess supports", "unexpected argument \"supports\""),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
