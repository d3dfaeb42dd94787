//! The ladder: the stages of the runtime, one package for each chapter that has code.
//!
//! Stage 3 is the package `chapter3`. The stage before it is the nearest that exists, so that stages may be missing
//! while the book is being written. What belongs to a stage is its `Cargo.toml` and what is under `src`; its tests
//! and wrong turns are made anew for each chapter.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::diff::{self, Changes};
use crate::figures;
use crate::workspace::{Package, Workspace};

/// The stage whose package has this name, if it is one.
pub fn of_package(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("chapter")?;
    let number: u32 = digits.parse().ok()?;
    (digits == number.to_string()).then_some(number)
}

/// The stage that a page is about: that of its name, as in `chapter03-async.md`.
pub fn of_page(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.strip_prefix("chapter")?;
    let digits = name.split('-').next()?;
    let page = digits.len() == 2 && name.ends_with(".md") && name.len() > digits.len() + 3;
    digits.parse().ok().filter(|_| page)
}

/// The name of a stage's package.
pub fn package_name(number: u32) -> String {
    format!("chapter{number}")
}

/// The package of a stage.
pub fn package(workspace: &Workspace, number: u32) -> Result<&Package> {
    workspace
        .package(&package_name(number))
        .map_err(|_| anyhow!("there is no stage {number}"))
}

/// The stage before one, if there is any.
pub fn previous(workspace: &Workspace, number: u32) -> Option<u32> {
    let stages = workspace.package_names().filter_map(of_package);
    stages.filter(|stage| *stage < number).max()
}

/// How a file changed from one stage to the next.
#[derive(Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The file's path in both packages.
    pub path: String,
    /// How it changed.
    pub change: Change,
    /// How many lines were added.
    pub added: usize,
    /// How many lines are gone.
    pub gone: usize,
    /// The difference, as `diff -u` prints it; empty if there is none.
    pub text: String,
}

/// What can happen to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    New,
    /// It is no longer there.
    Gone,
    /// Some of its lines differ.
    Changed,
    /// Not one line differs.
    Same,
}

/// Compares two stages, file by file. With no earlier stage given, the one before.
pub fn compare(workspace: &Workspace, from: Option<u32>, to: u32) -> Result<(u32, Vec<FileChange>)> {
    let new = files(package(workspace, to)?)?;
    let from = match from.or_else(|| previous(workspace, to)) {
        Some(from) => from,
        None => bail!("stage {to} is the first: there is nothing to compare it with"),
    };
    let old = files(package(workspace, from)?)?;
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort();
    paths.dedup();
    let changes = paths.into_iter().map(|path| {
        let empty = String::new();
        let change = match (old.get(path), new.get(path)) {
            (None, _) => Change::New,
            (_, None) => Change::Gone,
            (Some(old), Some(new)) if old == new => Change::Same,
            _ => Change::Changed,
        };
        let (old, new) = (old.get(path).unwrap_or(&empty), new.get(path).unwrap_or(&empty));
        let lines = Changes::between(old, new);
        FileChange {
            path: path.clone(),
            change,
            added: lines.added(),
            gone: lines.gone,
            text: diff::unified(old, new),
        }
    });
    Ok((from, changes.collect()))
}

/// The files of a stage, by their path in its package.
fn files(package: &Package) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut open: Vec<PathBuf> = vec![package.dir().join("src"), package.dir().join("Cargo.toml")];
    while let Some(path) = open.pop() {
        let context = || format!("cannot read {}", path.display());
        if path.is_dir() {
            for entry in fs::read_dir(&path).with_context(context)? {
                open.push(entry.with_context(context)?.path());
            }
            continue;
        }
        let text = fs::read_to_string(&path).with_context(context)?;
        let name = path.strip_prefix(package.dir()).unwrap_or(&path);
        let name = name.to_string_lossy().replace('\\', "/");
        files.insert(name, text.replace("\r\n", "\n"));
    }
    Ok(files)
}

/// The whole difference, for a terminal.
pub fn to_console(from: u32, to: u32, changes: &[FileChange]) -> String {
    let mut text = String::new();
    for file in changes {
        let path = &file.path;
        let (old, new) = match file.change {
            Change::Same => continue,
            Change::New => ("/dev/null".to_owned(), format!("{}/{path}", package_name(to))),
            Change::Gone => (format!("{}/{path}", package_name(from)), "/dev/null".to_owned()),
            Change::Changed => (
                format!("{}/{path}", package_name(from)),
                format!("{}/{path}", package_name(to)),
            ),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "--- {old}\n+++ {new}\n{}", file.text);
    }
    let _ = write!(text, "{}", summary(changes));
    text
}

/// The whole difference, as a page shows it: a section for each file.
pub fn to_page(from: u32, changes: &[FileChange]) -> String {
    // On paper it would take more room than the book.
    let mut text = format!(
        "Compared with chapter {from}: {}.\n\n<p class=\"in-print\">The lines themselves are not printed.</p>\n\n\
         <div class=\"on-screen\">\n",
        summary(changes).trim_end()
    );
    for file in changes {
        let (path, added, gone) = (&file.path, counted(file.added, "line"), file.gone);
        let what = match file.change {
            Change::Same => continue,
            Change::New => format!("New: {added}."),
            Change::Gone => format!("Gone: {}.", counted(gone, "line")),
            Change::Changed => format!("{added} added, {gone} gone."),
        };
        // What is gone can be read in the stage before.
        let body = match file.change {
            Change::Gone => String::new(),
            _ => figures::fenced("listing diff", None, "diff", &file.text),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n## `{path}`\n\n{what}\n\n{body}");
    }
    let same = changes.iter().filter(|file| file.change == Change::Same);
    let same: Vec<String> = same.map(|file| format!("`{}`", file.path)).collect();
    if !same.is_empty() {
        let _ = write!(text, "\n## Not one line changed\n\n{}\n", same.join(", "));
    }
    text.push_str("\n</div>\n");
    text
}

/// How much differs, in one line.
pub fn summary(changes: &[FileChange]) -> String {
    let count = |wanted| changes.iter().filter(|file| file.change == wanted).count();
    let added: usize = changes.iter().map(|file| file.added).sum();
    let gone: usize = changes.iter().map(|file| file.gone).sum();
    format!(
        "{} new, {} changed, {} gone, {} the same; {} added, {} gone\n",
        counted(count(Change::New), "file"),
        count(Change::Changed),
        count(Change::Gone),
        count(Change::Same),
        counted(added, "line"),
        gone
    )
}

/// `1 line`, `2 lines`.
pub fn counted(number: usize, thing: &str) -> String {
    match number {
        1 => format!("1 {thing}"),
        _ => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_pages_name_their_stage() {
        assert_eq!(of_package("chapter12"), Some(12));
        for name in ["chapter", "chapter01", "chapters", "curio"] {
            assert_eq!(of_package(name), None, "{name}");
        }
        assert_eq!(of_page(Path::new("part/chapter03-async.md")), Some(3));
        for path in [
            "chapter3.md",
            "chapter03.md",
            "chapter03-.txt",
            "changes03.md",
            "index.md",
        ] {
            assert_eq!(of_page(Path::new(path)), None, "{path}");
        }
    }
}
