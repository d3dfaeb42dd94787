//! Runs every command whose output a page shows, and compares the output byte for byte.
//!
//! A transcript is a file `transcripts/NAME.txt` in a package: the command in its first line, then what the command
//! prints. `traces/NAME.jsonl` is what the same command prints with `--record`. Each package includes this file in its
//! tests by `#[path]`, and calls [`check`]; the check of the book includes it, too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is wrong with a stored file, and in which of its lines.
pub(crate) type Wrong = (PathBuf, usize, String);

/// Runs all transcripts of a package. What is wrong with them, if anything.
///
/// `package` is the folder of the package, `name` its name, and `program` its program.
pub(crate) fn check(package: &Path, name: &str, program: &Path) -> Result<(), String> {
    let problems = wrong(package, name, program)?;
    let problems = problems
        .iter()
        .map(|(path, line, problem)| format!("{}:{line}: {problem}", path.display()));
    let problems: Vec<String> = problems.collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n")),
    }
}

/// The same, as a list.
pub(crate) fn wrong(package: &Path, name: &str, program: &Path) -> Result<Vec<Wrong>, String> {
    let folder = package.join("transcripts");
    let mut problems = Vec::new();
    let mut seen = 0;
    for path in files(&folder)? {
        seen += 1;
        if let Err((line, problem)) = check_one(&path, name, program) {
            problems.push((path, line, problem));
        }
    }
    match seen > 0 {
        true => Ok(problems),
        false => Err(format!("no transcript in {}", folder.display())),
    }
}

/// What is wrong with the traces of a package: each is what the command of the transcript of its name records now.
pub(crate) fn wrong_traces(package: &Path, name: &str, program: &Path) -> Result<Vec<Wrong>, String> {
    let folder = package.join("traces");
    let mut problems = Vec::new();
    let mut seen = 0;
    for path in files(&folder)? {
        seen += 1;
        if let Err((line, problem)) = check_trace(&path, package, name, program) {
            problems.push((path, line, problem));
        }
    }
    match seen > 0 {
        true => Ok(problems),
        false => Err(format!("no trace in {}", folder.display())),
    }
}

fn check_trace(path: &Path, package: &Path, name: &str, program: &Path) -> Result<(), (usize, String)> {
    let in_line_1 = |problem| (1, problem);
    if path.extension().is_none_or(|extension| extension != "jsonl") {
        return Err(in_line_1("is not called NAME.jsonl".to_string()));
    }
    let stored = fs::read_to_string(path).map_err(|error| in_line_1(error.to_string()))?;
    let run = Path::new(path.file_stem().unwrap_or_default()).with_extension("txt");
    let transcript = fs::read_to_string(package.join("transcripts").join(run))
        .map_err(|error| in_line_1(format!("no transcript of the same run: {error}")))?;
    let (mut arguments, _) = parse(&transcript, name).map_err(in_line_1)?;
    arguments.push("--record");
    let recorded = printed(program, &arguments).map_err(in_line_1)?;
    difference(&stored, &recorded).map_or(Ok(()), Err)
}

/// The files in a folder, in order.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot_read = |error| format!("cannot read {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot_read)? {
        paths.push(entry.map_err(cannot_read)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn check_one(path: &Path, name: &str, program: &Path) -> Result<(), (usize, String)> {
    let in_line_1 = |problem| (1, problem);
    if path.extension().is_none_or(|extension| extension != "txt") {
        return Err(in_line_1("is not called NAME.txt".to_string()));
    }
    let transcript = fs::read_to_string(path).map_err(|error| in_line_1(error.to_string()))?;
    let (arguments, expected) = parse(&transcript, name).map_err(in_line_1)?;
    let printed = printed(program, &arguments).map_err(in_line_1)?;
    difference(expected, &printed).map_or(Ok(()), |(line, problem)| Err((line + 1, problem)))
}

/// What the program prints.
pub(crate) fn printed(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "the program failed: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// The arguments and the expected output, or what is wrong with the file.
pub(crate) fn parse<'a>(transcript: &'a str, name: &str) -> Result<(Vec<&'a str>, &'a str), String> {
    let prompt = format!("$ cargo run -p {name}");
    let (command, output) = transcript.split_once('\n').ok_or("there is no output")?;
    let rest = command
        .strip_prefix(&prompt)
        .ok_or(format!("the first line does not begin with '{prompt}'"))?;
    let arguments = match rest.strip_prefix(" -- ") {
        Some(arguments) => arguments.split_whitespace().collect(),
        None if rest.is_empty() => Vec::new(),
        None => return Err(format!("'{rest}' should begin with ' -- '")),
    };
    if !output.ends_with('\n') {
        return Err("the last line does not end".to_string());
    }
    Ok((arguments, output))
}

/// The first line in which what is stored and what is printed now differ, counted from 1, and how they differ.
pub(crate) fn difference(stored: &str, printed: &str) -> Option<(usize, String)> {
    if stored == printed {
        return None;
    }
    let (mut stored, mut printed) = (stored.split('\n'), printed.split('\n'));
    for line in 1.. {
        let (old, new) = (stored.next(), printed.next());
        if old != new {
            let quoted =
                |text: Option<&str>| text.map_or("(nothing)".to_string(), |text| format!("{text:?}"));
            let (old, new) = (quoted(old), quoted(new));
            return Some((line, format!("stored is {old}, but printed now {new}")));
        }
    }
    unreachable!("two different texts differ in some line")
}
