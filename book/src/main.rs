//! `cargo run -p book`: builds the book and serves it on this machine.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use book::{builder, listings::Listings, server};
use lexopt::{Arg, Parser, ValueExt};
use mdbook_preprocessor::Preprocessor;

const HELP: &str = "\
Builds the book and serves it on this machine.

Usage: cargo run -p book                  build, then serve
       cargo run -p book -- build         only build
       cargo run -p book -- preprocess    cut listings for mdbook (it runs this by itself)

Options:
  --port N    serve on port N, or the next free one (3000); 0 for any
  --open      open the book in the browser
  -h, --help  print this
";

const HELP_BUILD: &str = "\
Builds the book, checks its links, and prints where it is.

Usage: cargo run -p book -- build
";

const HELP_PREPROCESS: &str = "\
Replaces {{item ..}}, {{items ..}}, {{file ..}} and {{transcript ..}} by listings, between mdbook's
loading of the book (as JSON from standard input) and its rendering (to standard output).

Usage: cargo run -p book -- preprocess                      run by mdbook
       cargo run -p book -- preprocess supports RENDERER    succeeds: any renderer will do
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    Help(&'static str),
    Build,
    Serve { port: u16, open: bool },
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
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => help = true,
            Arg::Long("port") => port = Some(arguments.value()?.parse()?),
            Arg::Long("open") => open = true,
            Arg::Value(value) if command.is_none() => command = Some(value.string()?),
            Arg::Value(value) => rest.push(value.string()?),
            argument => return Err(argument.unexpected()),
        }
    }
    let serving = port.is_some() || open;
    match (command.as_deref(), rest.as_slice()) {
        (None, []) if help => Ok(Job::Help(HELP)),
        (None, []) => Ok(Job::Serve {
            port: port.unwrap_or(server::PORT),
            open,
        }),
        (Some("build" | "preprocess"), _) if serving => Err("--port and --open belong to serving".into()),
        (Some("build"), []) if help => Ok(Job::Help(HELP_BUILD)),
        (Some("build"), []) => Ok(Job::Build),
        (Some("preprocess"), _) if help => Ok(Job::Help(HELP_PREPROCESS)),
        (Some("preprocess"), []) => Ok(Job::Preprocess),
        (Some("preprocess"), [supports, renderer]) if supports == "supports" => {
            Ok(Job::Supports(renderer.clone()))
        }
        (Some("build" | "preprocess"), [first, ..]) => Err(format!("unexpected argument {first:?}").into()),
        (Some(command), _) => Err(format!("no command {command:?}").into()),
        (None, [..]) => unreachable!("the first value is the command"),
    }
}

fn run(job: Job) -> Result<()> {
    match job {
        Job::Help(text) => print(text),
        Job::Build => {
            let site = builder::build(&book())?;
            print(format_args!("The book is in {}\n", site.display()))
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
            let book = Listings.run(&context, book)?;
            let json = serde_json::to_string(&book)?;
            print(json)
        }
        Job::Supports(renderer) => match Listings.supports_renderer(&renderer)? {
            true => Ok(()),
            false => anyhow::bail!("no listings for {renderer}"),
        },
    }
}

fn print(text: impl Display) -> Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "{text}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
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
            ("build x", "unexpected argument \"x\""),
            ("build --port 1", "--port and --open belong to serving"),
            ("preprocess supports", "unexpected argument \"supports\""),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
