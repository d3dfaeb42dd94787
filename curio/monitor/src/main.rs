//! Looks into running curio programs: what their tasks do, and where.
//!
//! It is a thin client. Every command is understood by the program that is looked at, and everything it says is text, so that
//! `nc -U` would do as well; this finds the program by itself, and has `top`, which needs a whole screen.

mod find;
mod link;
mod top;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use find::Program;
use link::{Address, Link};

const HELP: &str = "\
Looks into running curio programs. A program can be looked at if it was started
with CURIOMONITOR=1 in its environment, or asks for a monitor itself.

Usage: curio-monitor [WHICH] [COMMAND..]

  curio-monitor               looks at the program that runs; lists them, if there
                              are several
  curio-monitor 1234          looks at the process 1234 (1234.2: at its second kernel)
  curio-monitor 1234 ps       prints the answer to one command
  curio-monitor 1234 top      shows all the time which tasks use most time

WHICH, if it is not the number of a process:
  -s PATH, --socket PATH      the socket at this path
  -H HOST, --host HOST        over TCP (default: 127.0.0.1)
  -p PORT, --port PORT        over TCP (default: 48802)

Options:
  -l, --list                  only lists the programs
  -h, --help                  shows this help

Commands are those that `help` shows, in the program that is looked at.
";

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    process: Option<String>,
    address: Option<Address>,
    lists: bool,
    command: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(lossy).collect();
    if arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        // (`print!` panics if nobody reads it to its end.)
        let _ = io::stdout().write_all(HELP.as_bytes());
        return ExitCode::SUCCESS;
    }
    let arguments = match read(&arguments) {
        Ok(arguments) => arguments,
        Err(what) => {
            eprintln!("curio-monitor: {what}; try --help");
            return ExitCode::from(2);
        }
    };
    match look(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read this has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("curio-monitor: {error}");
            ExitCode::FAILURE
        }
    }
}

fn lossy(argument: OsString) -> String {
    argument.to_string_lossy().into_owned()
}

fn read(arguments: &[String]) -> Result<Arguments, String> {
    let mut read = Arguments::default();
    let (mut host, mut port) = (None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "-l" | "--list" => read.lists = true,
            "-s" | "--socket" => read.address = Some(Address::Unix(value()?.into())),
            "-H" | "--host" => host = Some(value()?),
            "-p" | "--port" => {
                let value = value()?;
                port = Some(value.parse().map_err(|_| format!("{value:?} is no port"))?);
            }
            option if option.starts_with('-') => return Err(format!("{option} is not known")),
            process if read.process.is_none() && is_process(process) => {
                read.process = Some(process.to_string());
            }
            _ => {
                read.command.push(argument.clone());
                read.command.extend(rest.by_ref().cloned());
            }
        }
    }
    if host.is_some() || port.is_some() {
        let host = host.unwrap_or_else(|| "127.0.0.1".to_string());
        read.address = Some(Address::Tcp(host, port.unwrap_or(48802)));
    }
    if read.address.is_some() && read.process.is_some() {
        return Err("there are two programs to look at".to_string());
    }
    Ok(read)
}

/// A number, and for a further kernel of that process another one behind a dot.
fn is_process(text: &str) -> bool {
    text.split('.').count() <= 2
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn look(arguments: &Arguments) -> io::Result<()> {
    if arguments.lists {
        return list(&find::programs()?);
    }
    let address = match (&arguments.address, &arguments.process) {
        (Some(address), _) => address.clone(),
        (None, Some(process)) => match find::programs()?.into_iter().find(|p| p.name == *process) {
            Some(program) => Address::Unix(program.path),
            None => return Err(io::Error::other(format!("the process {process} has no monitor"))),
        },
        (None, None) => {
            let mut programs = find::programs()?;
            match programs.len() {
                0 => {
                    let what = "no program with a monitor runs; start one with CURIOMONITOR=1";
                    return Err(io::Error::other(what));
                }
                1 => Address::Unix(programs.remove(0).path),
                _ if arguments.command.is_empty() => return list(&programs),
                _ => {
                    list(&programs)?;
                    return Err(io::Error::other("which of them?"));
                }
            }
        }
    };
    let link = Link::open(&address)?;
    match arguments.command.as_slice() {
        [] => converse(link),
        [command] if command == "top" => top::show(link),
        command => print_answer(link, command),
    }
}

/// One line for each program.
fn list(programs: &[Program]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if programs.is_empty() {
        return writeln!(out, "no program with a monitor runs");
    }
    writeln!(out, "{:<10} {:>8} Command", "Process", "Tasks")?;
    for program in programs {
        let about = Link::open(&Address::Unix(program.path.clone())).and_then(Link::about);
        match about {
            Ok((tasks, command)) => writeln!(out, "{:<10} {tasks:>8} {command}", program.name)?,
            Err(error) => writeln!(out, "{:<10} {:>8} ({error})", program.name, "?")?,
        }
    }
    Ok(())
}

/// The answer to one command.
fn print_answer(link: Link, command: &[String]) -> io::Result<()> {
    let mut command = command.to_vec();
    // The program is somewhere else.
    if let [trace, on, file] = command.as_mut_slice()
        && trace == "trace"
        && on == "on"
    {
        *file = std::path::absolute(&*file)?.to_string_lossy().into_owned();
    }
    let mut answer = link.ask(&command.join(" "))?;
    io::copy(&mut answer, &mut io::stdout().lock()).map(|_| ())
}

/// What is typed goes there, and what comes from there is shown.
fn converse(mut link: Link) -> io::Result<()> {
    let leaves = Arc::new(AtomicBool::new(false));
    let mut writer = link.try_clone()?;
    thread::spawn({
        let leaves = leaves.clone();
        move || {
            let (mut input, mut line) = (io::stdin().lock(), Vec::new());
            // As bytes: what is no text, the program says so, and goes on.
            while input.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                leaves.store(
                    matches!(line.trim_ascii(), b"quit" | b"q" | b"exit"),
                    Ordering::Release,
                );
                if !line.ends_with(b"\n") {
                    line.push(b'\n');
                }
                if writer.write_all(&line).is_err() {
                    return;
                }
                line.clear();
            }
            leaves.store(true, Ordering::Release);
            // There may be answers still.
            let _ = writer.close();
        }
    });
    let mut out = io::stdout().lock();
    let mut bytes = [0; 4096];
    loop {
        let n = match io::Read::read(&mut link, &mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Killed before it had read everything.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            read => read?,
        };
        if n == 0 {
            break;
        }
        out.write_all(&bytes[..n])?;
        out.flush()?;
    }
    if !leaves.load(Ordering::Acquire) {
        // As telnet says it.
        writeln!(out, "*** Connection closed by remote host ***")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Arguments, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        super::read(&arguments)
    }

    #[test]
    fn arguments() {
        assert_eq!(read(""), Ok(Arguments::default()));
        let command = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let read = |line| read(line).unwrap();
        assert_eq!(read("12.2 ps --json").process.as_deref(), Some("12.2"));
        assert_eq!(read("12 ps --json").command, command(&["ps", "--json"]));
        assert_eq!(read("where 12").command, command(&["where", "12"]));
        assert_eq!(
            read("-p 5").address,
            Some(Address::Tcp("127.0.0.1".to_string(), 5))
        );
        assert_eq!(
            read("-H ::1").address,
            Some(Address::Tcp("::1".to_string(), 48802))
        );
        assert_eq!(read("-s a/b ps").address, Some(Address::Unix("a/b".into())));
    }

    #[test]
    fn what_is_not_understood() {
        for line in ["--banana", "-p", "-p x", "-s", "12 -p 5"] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
