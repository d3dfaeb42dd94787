//! Runs every command whose output a page shows, and compares the output byte for byte.
//!
//! A transcript is a file `transcripts/NAME.txt` in a package: the command in its first line, then what the command
//! prints. Each package includes this file in its tests by `#[path]`, and calls [`check`].

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs all transcripts of a package. What is wrong with them, if anything.
///
/// `package` is the folder of the package, `name` its name, and `program` its program.
pub(crate) fn check(package: &Path, name: &str, program: &Path) -> Result<(), String> {
    let folder = package.join("transcripts");
    let cannot_read = |error| format!("cannot read {}: {error}", folder.display());
    let mut problems = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        seen += 1;
        if let Err(problem) = check_one(&path, name, program) {
            problems.push(format!("{}: {problem}", path.display()));
        }
    }
    match problems.is_empty() {
        true if seen > 0 => Ok(()),
        true => Err(format!("no transcript in {}", folder.display())),
        false => Err(problems.join("\n")),
    }
}

fn check_one(path: &Path, name: &str, program: &Path) -> Result<(), String> {
    if path.extension().is_none_or(|extension| extension != "txt") {
        return Err("is not called NAME.txt".to_string());
    }
    let transcript = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let (arguments, expected) = parse(&transcript, name)?;
    let output = Command::new(program).args(&arguments).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the program failed: {reason}"));
    }
    difference(expected, &String::from_utf8_lossy(&output.stdout)).map_or(Ok(()), Err)
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

/// The first line of the file in which two outputs differ.
pub(crate) fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut expected, mut actual) = (expected.split('\n'), actual.split('\n'));
    for line in 2.. {
        let (old, new) = (expected.next(), actual.next());
        if old != new {
            let quoted =
                |text: Option<&str>| text.map_or("(nothing)".to_string(), |text| format!("{text:?}"));
            let (old, new) = (quoted(old), quoted(new));
            return Some(format!(
                "line {line}\n  in the transcript: {old}\n  printed now:       {new}"
            ));
        }
    }
    unreachable!("two different texts differ in some line")
}
