//! What is stored is what the programs print now: transcripts, traces, and what the compiler says.
//!
//! The packages' own tests say the same. But whoever changes a line of a transcript and runs this check wants to be told
//! here, and the programs are over in an instant. They are built first, without the network, which takes no time when
//! they are built already. With `--no-run` all this is left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::problem::Problem;
use crate::workspace::{Package, Workspace};

// What a test does not use, the check does, and the other way round.
#[allow(dead_code)]
#[path = "../../../chapters-code/common/errors.rs"]
mod errors;
#[allow(dead_code)]
#[path = "../../../chapters-code/common/transcripts.rs"]
mod transcripts;

/// Runs all of it again.
pub(super) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let all = workspace.package_names().map(|name| workspace.package(name));
    let all: Vec<&Package> = all.collect::<Result<_>>()?;
    let packages: Vec<&Package> = all
        .into_iter()
        .filter(|package| FOLDERS.iter().any(|folder| has(package, folder)))
        .collect();
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let programs = match build(workspace)? {
        Ok(programs) => programs,
        // Nothing can be run, and the reason is told.
        Err(problems) => return Ok(problems),
    };
    let mut problems = Vec::new();
    for package in packages {
        let wrong = of_package(package, &programs)
            .unwrap_or_else(|problem| vec![(package.dir().join("Cargo.toml"), 1, problem)]);
        problems.extend(wrong.into_iter().map(|(path, line, message)| Problem {
            file: workspace.relative(&path),
            line: Some(line),
            // What the compiler says has many lines, and the check one for each problem.
            message: message.split_whitespace().collect::<Vec<_>>().join(" "),
        }));
    }
    Ok(problems)
}

const FOLDERS: [&str; 3] = ["transcripts", "traces", "errors"];

fn has(package: &Package, folder: &str) -> bool {
    fs::read_dir(package.dir().join(folder)).is_ok_and(|mut entries| entries.next().is_some())
}

fn of_package(package: &Package, programs: &Programs) -> Result<Vec<transcripts::Wrong>, String> {
    let (dir, name) = (package.dir(), package.name());
    let mut wrong = Vec::new();
    let program = programs
        .iter()
        .find(|program| program.package == dir && !program.is_example);
    if let Some(Program { path, .. }) = program {
        if has(package, "transcripts") {
            wrong.extend(transcripts::wrong(dir, name, path)?);
        }
        if has(package, "traces") {
            wrong.extend(transcripts::wrong_traces(dir, name, path)?);
        }
    }
    for program in programs {
        if program.package == dir && program.is_example {
            wrong.extend(of_example(program)?);
        }
    }
    if has(package, "errors") {
        let in_line_1 = |(path, problem): (PathBuf, String)| (path.with_extension("txt"), 1, problem);
        wrong.extend(errors::wrong(dir, name)?.into_iter().map(in_line_1));
    }
    Ok(wrong)
}

/// An example is run only if it can be on the virtual clock. Its own tests run it on the real one, too, and wait for it.
fn of_example(example: &Program) -> Result<Option<transcripts::Wrong>, String> {
    let name = &example.name;
    let stored = example.package.join("transcripts").join(format!("{name}.txt"));
    let (Ok(text), Ok(source)) = (fs::read_to_string(&stored), fs::read_to_string(&example.source)) else {
        return Ok(None);
    };
    let arguments: &[&str] = if source.contains("\"--virtual\"") {
        &["--virtual"]
    } else if source.contains("Clock::Virtual") {
        &[]
    } else {
        return Ok(None);
    };
    let command = format!("$ cargo run --example {name}\n");
    let Some(expected) = text.strip_prefix(&command) else {
        return Ok(Some((stored, 1, format!("it does not begin with {command:?}"))));
    };
    let difference = transcripts::difference(expected, &transcripts::printed(&example.path, arguments)?);
    Ok(difference.map(|(line, problem)| (stored, line + 1, problem)))
}

/// A program that cargo has built.
struct Program {
    /// The folder of its package.
    package: PathBuf,
    name: String,
    is_example: bool,
    source: PathBuf,
    path: PathBuf,
}

type Programs = Vec<Program>;

/// Builds the programs. If they do not compile: what the compiler says, and where.
fn build(workspace: &Workspace) -> Result<Result<Programs, Vec<Problem>>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--offline",
            "--quiet",
            "--message-format",
            "json",
            "--bins",
            "--examples",
        ])
        // Not of those packages only: what they depend on would have other features than for `cargo test`, so all of it would be
        // built once more.
        .current_dir(workspace.root())
        .output()
        .context("cannot run `cargo build`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Value> = text.lines().flat_map(serde_json::from_str).collect();
    if output.status.success() {
        return Ok(Ok(messages.iter().filter_map(program).collect()));
    }
    let mut problems: Vec<Problem> = messages.iter().filter_map(error).collect();
    if problems.is_empty() {
        problems.push(Problem {
            file: "Cargo.toml".to_owned(),
            line: None,
            message: format!(
                "`cargo build` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        });
    }
    Ok(Err(problems))
}

fn program(message: &Value) -> Option<Program> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    Some(Program {
        package: Path::new(text("/manifest_path")?).parent()?.to_owned(),
        name: text("/target/name")?.to_owned(),
        is_example: text("/target/kind/0")? == "example",
        source: text("/target/src_path")?.into(),
        path: text("/executable")?.into(),
    })
}

/// The error of the compiler that cargo hands on.
fn error(message: &Value) -> Option<Problem> {
    let message = message.get("message")?;
    let is_error = message.get("level")? == "error";
    let mut spans = message.get("spans")?.as_array()?.iter();
    let span = spans.find(|span| span.get("is_primary").is_some_and(|primary| primary == true));
    let span = span.filter(|_| is_error)?;
    Some(Problem {
        file: span.get("file_name")?.as_str()?.to_owned(),
        line: span
            .get("line_start")?
            .as_u64()
            .and_then(|line| line.try_into().ok()),
        message: message.get("message")?.as_str()?.to_owned(),
    })
}
