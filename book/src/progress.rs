//! Which exercises are done.
//!
//! An exercise is done when all its tests pass. Each is run in a process of its own, since the watchdog ends the process
//! of one that hangs, and a chapter's tests are compiled by themselves, since a stub in the middle of being written
//! compiles perhaps not, and says nothing about the other chapters.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::hints;
use crate::stages::counted;
use crate::workspace::{Package, Workspace};

/// Runs the exercises of the workspace that contains the folder `inside`, and says what is done.
pub fn of(inside: &Path) -> Result<String> {
    let workspace = Workspace::load(inside)?;
    let package = workspace.package(hints::PACKAGE)?;
    let mut text = String::new();
    let (mut done, mut all) = (0, 0);
    for chapter in entries(package.dir())? {
        let Some(number) = chapter
            .strip_prefix("ch")
            .and_then(|digits| digits.parse::<u32>().ok())
        else {
            continue;
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "Chapter {number}");
        let program = compiled(package, &chapter)?;
        for stub in entries(&package.dir().join(&chapter))? {
            let Some(name) = stub.strip_suffix(".rs") else {
                continue;
            };
            let state = match &program {
                Some(program) => run(program, name, package.dir())?,
                None => State::NotCompiled,
            };
            all += 1;
            done += usize::from(state == State::Done);
            let mark = if state == State::Done { 'x' } else { ' ' };
            let says = match state {
                State::Done => "done".to_owned(),
                State::Open { passed, tests } => format!("{passed} of {} pass", counted(tests, "test")),
                State::NotCompiled => {
                    format!(
                        "does not compile: cargo test -p {} --test {chapter}",
                        hints::PACKAGE
                    )
                }
            };
            let _ = writeln!(text, "  [{mark}] {name:<20} {says}");
        }
    }
    let _ = writeln!(text, "{done} of {} done", counted(all, "exercise"));
    Ok(text)
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Done,
    Open { passed: usize, tests: usize },
    NotCompiled,
}

/// The names in a folder, in order.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let context = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        names.push(
            entry
                .with_context(context)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    names.sort();
    Ok(names)
}

/// The program with the tests of a chapter, unless they do not compile.
fn compiled(package: &Package, chapter: &str) -> Result<Option<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["test", "--quiet", "-p", package.name(), "--test", chapter])
        .args(["--no-run", "--message-format", "json"])
        .current_dir(package.dir())
        .output()
        .context("cannot run `cargo test`")?;
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let ours = message.pointer("/target/name")? == chapter;
        message
            .get("executable")?
            .as_str()
            .filter(|_| ours)
            .map(PathBuf::from)
    };
    Ok(messages
        .filter_map(program)
        .next_back()
        .filter(|_| output.status.success()))
}

/// Runs the tests of one exercise, such as `e1_predict`.
fn run(program: &Path, exercise: &str, folder: &Path) -> Result<State> {
    let module = exercise.split('_').next().unwrap_or_default();
    let output = |options: &[&str]| {
        let mut command = Command::new(program);
        let command = command
            .arg(format!("{module}::"))
            .args(options)
            .current_dir(folder);
        let output = command
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        anyhow::Ok((
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    let count = |text: &str, end: &str| text.lines().filter(|line| line.ends_with(end)).count();
    let tests = count(&output(&["--list"])?.1, ": test");
    let (success, text) = output(&[])?;
    match success && tests > 0 {
        true => Ok(State::Done),
        false => Ok(State::Open {
            passed: count(&text, " ... ok"),
            tests,
        }),
    }
}
