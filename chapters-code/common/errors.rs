//! Compiles every program whose error a page shows, and compares what the compiler says.
//!
//! `errors/NAME.rs` is a program that is wrong on purpose, and `errors/NAME.txt` is what the compiler says to it, as the
//! page shows it. Much of that changes from one compiler to the next: the drawing, the notes, the advice. So only what
//! the reader has to recognise is compared, for each error: its code, its main message and its line. Each package
//! includes this file in its tests by `#[path]`, and calls [`check`].

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An error: `E0382`, `use of moved value: ..`, and the line.
type Said = (String, String, usize);

/// Compiles all programs of a package. What is wrong with them, if anything.
///
/// `package` is the folder of the package, and `library` its name: the programs may use its items.
pub(crate) fn check(package: &Path, library: &str) -> Result<(), String> {
    let problems = wrong(package, library)?;
    let problems = problems
        .iter()
        .map(|(path, problem)| format!("{}: {problem}", path.display()));
    let problems: Vec<String> = problems.collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n")),
    }
}

/// The same, as a list.
pub(crate) fn wrong(package: &Path, library: &str) -> Result<Vec<(PathBuf, String)>, String> {
    let folder = package.join("errors");
    let cannot_read = |error| format!("cannot read {}: {error}", folder.display());
    let mut problems = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            seen += 1;
            if let Err(problem) = check_one(package, library, &path) {
                problems.push((path, problem));
            }
        }
    }
    match seen > 0 {
        true => Ok(problems),
        false => Err(format!("no program in {}", folder.display())),
    }
}

fn check_one(package: &Path, library: &str, program: &Path) -> Result<(), String> {
    let stored = program.with_extension("txt");
    let stored =
        fs::read_to_string(&stored).map_err(|error| format!("cannot read {}: {error}", stored.display()))?;
    let expected = said(&stored);
    let printed = compile(package, library, program)?;
    let actual = said(&printed);
    match actual == expected {
        true if !expected.is_empty() => Ok(()),
        true => Err("there is no error, and none is stored".to_string()),
        false => Err(format!(
            "\n  stored:       {expected:?}\n  compiled now: {actual:?}\n{printed}"
        )),
    }
}

/// What the compiler says.
fn compile(package: &Path, library: &str, program: &Path) -> Result<String, String> {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let inside = program.strip_prefix(package).map_err(|error| error.to_string())?;
    // What it would make, if the program were right.
    let made = env::temp_dir().join(format!("{library}-{}.rmeta", std::process::id()));
    let mut command = Command::new(compiler);
    command
        .current_dir(package)
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .arg("-o")
        .arg(&made)
        .arg(inside);
    if let Some(built) = built(library) {
        let folder = built.parent().unwrap_or(Path::new("."));
        command.arg("-L").arg(format!("dependency={}", folder.display()));
        command
            .arg("--extern")
            .arg(format!("{library}={}", built.display()));
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot run the compiler: {error}"))?;
    // It is there only if nothing was wrong.
    let _ = fs::remove_file(&made);
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The library, compiled: it lies beside the test that is running, or, for the check of the book, in the folder beside
/// that program. The newest, if it was built in several ways.
fn built(library: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let prefix = format!("lib{library}-");
    let beside = program.parent()?;
    let folder = beside.join("deps");
    let entries = fs::read_dir(if folder.is_dir() { &folder } else { beside }).ok()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let ours = paths.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".rlib")
    });
    ours.max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}

/// `error[E0382]: use of moved value` and, in a line below it, ` --> errors/moved.rs:3:5`.
pub(crate) fn said(text: &str) -> Vec<Said> {
    let mut errors = Vec::new();
    let mut open = None;
    for line in text.lines() {
        if let Some(found) = headline(line) {
            open = Some(found);
        } else if let (Some(place), Some((code, message))) =
            (line.trim_start().strip_prefix("--> "), open.clone())
        {
            open = None;
            errors.extend(line_of(place).map(|line| (code, message, line)));
        }
    }
    errors
}

/// Code and message, if it is an error. Not all of them have a code.
fn headline(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("error")?;
    let (code, message) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once("]: ")?,
        None => ("", rest.strip_prefix(": ")?),
    };
    Some((code.to_string(), message.trim().to_string()))
}

/// 3 in `errors/moved.rs:3:5`.
fn line_of(place: &str) -> Option<usize> {
    let mut parts = place.rsplitn(3, ':');
    let _column = parts.next()?;
    parts.next()?.parse().ok()
}
