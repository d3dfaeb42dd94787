//! What is stored is run again: transcripts, traces, compiler errors.
//!
//! A page shows what a program has printed, from a file. The file is worth something as long as a test runs the command
//! again and compares; this looks that each package with such files has such a test.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::problem::Problem;
use crate::workspace::Workspace;

/// The folders of what is stored, and how its files end. A test that runs it again mentions the folder, or the code for all
/// chapters.
const FOLDERS: [(&str, &str, &[&str]); 3] = [
    ("transcripts", "txt", &["transcripts", "common/program.rs"]),
    ("traces", "jsonl", &["check_traces"]),
    ("errors", "txt", &["errors"]),
];

pub(super) fn check(workspace: &Workspace) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in workspace.package_names() {
        let package = workspace.package(name)?;
        for (folder, extension, mentioned) in FOLDERS {
            let files = stored(&package.dir().join(folder), extension)?;
            if files.is_empty() {
                continue;
            }
            let path = |file: &str| workspace.relative(&package.dir().join(folder).join(file));
            if let Some(first) = files.first()
                && !mentions(&package.dir().join("tests"), mentioned)?
            {
                problems.push(Problem {
                    file: path(first),
                    line: Some(1),
                    message: format!("no test of `{name}` runs the {folder} again"),
                });
            }
        }
    }
    Ok(problems)
}

/// The names of the files in a folder that end like this.
fn stored(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let context = || format!("cannot read {}", folder.display());
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            files.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a test in this folder mentions one of these.
fn mentions(folder: &Path, words: &[&str]) -> Result<bool> {
    let context = || format!("cannot read {}", folder.display());
    if !folder.exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let found = match path.extension().is_some_and(|extension| extension == "rs") {
            true => {
                let text = fs::read_to_string(&path).with_context(context)?;
                words.iter().any(|word| text.contains(word))
            }
            false => path.is_dir() && mentions(&path, words)?,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
