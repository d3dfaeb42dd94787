//! Every item that a stage adds is shown in the chapter's page, or named under "Not shown" with a reason.
//!
//! Code that a reader never sees and is not told of is magic, and this book promises that there is none. What counts is
//! the item as it is compiled: a method is shown when a listing contains it, whether the listing names the method, its
//! impl block or the whole file; an impl block is shown when all that is in it is, its associated types aside. What the
//! stage before had too (at the same path, or as its only item of that name) has been shown there. What several stages
//! share, from outside their folders, belongs to none.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result};

use super::{Page, Told, code_spans};
use crate::directives::{self, Directive};
use crate::source::{Crate, Kind, Listed, Show};
use crate::sources::Sources;
use crate::stages;

/// Parts of files that the page shows.
type Shown = Vec<(PathBuf, Range<usize>)>;

pub(super) fn check(page: &Page<'_>, number: u32, sources: &Sources<'_>) -> Result<Told> {
    let workspace = sources.workspace;
    let mut told = Vec::new();
    let Ok(package) = stages::package(workspace, number) else {
        told.push((
            1,
            format!("there is no package `{}`", stages::package_name(number)),
        ));
        return Ok(told);
    };
    let Some(section) = page.section("What changed") else {
        return Ok(told);
    };
    let shown = shown(page, sources);
    let stage = crates(number, sources)?;
    let before = match stages::previous(workspace, number) {
        Some(before) => crates(before, sources)?,
        None => Vec::new(),
    };
    let items: Vec<Listed<'_>> = stage.iter().flat_map(|krate| krate.items()).collect();
    let bullets = not_shown(section.numbered());
    // A macro may make what is no item here.
    let texts = texts(&items)?;
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.split(|letter| !is_word(letter)))
        .collect();

    // Files that several stages share are included from outside of the package.
    let own = format!("{}/", workspace.relative(package.dir()));
    let mut reported: BTreeSet<(PathBuf, usize)> = BTreeSet::new();
    for item in &items {
        let is_new = !before.iter().any(|krate| krate.has(item));
        let is_part = item.kind() == Kind::Module || (item.kind() == Kind::Impl && has_items(item, &items));
        let is_own = item.kind() != Kind::AssociatedType && workspace.relative(item.file()).starts_with(&own);
        let mut names = bullets.iter().flat_map(|bullet| &bullet.names);
        let excused = names.any(|name| is_meant(item, name));
        // A program that includes the library's files would tell everything twice.
        if is_own && is_new && !is_part && !is_shown(item, &shown) && !excused && {
            reported.insert((item.file().to_owned(), item.range().start))
        } {
            let place = format!("{}:{}", workspace.relative(item.file()), item.line());
            let name = item.path();
            let message = format!(
                "`{name}` ({place}) is not shown: show it, or name it under `Not shown` with a reason"
            );
            told.push((section.line, message));
        }
    }
    for bullet in &bullets {
        for name in bullet.names.iter().take(bullet.leading) {
            let mut meant = items.iter().filter(|item| is_meant(item, name)).peekable();
            if meant.peek().is_none() && !words.contains(name.as_str()) {
                let message = format!(
                    "`{name}` is named under `Not shown`, but `{}` has no such item",
                    package.name()
                );
                told.push((bullet.line, message));
            } else if meant.peek().is_some()
                && meant.all(|item| item.kind() != Kind::Module && is_shown(item, &shown))
            {
                told.push((
                    bullet.line,
                    format!("`{name}` is named under `Not shown`, but the page shows it"),
                ));
            }
        }
        if bullet.reason < 3 {
            told.push((
                bullet.line,
                "what is not shown has a reason, in a few words".to_owned(),
            ));
        }
    }
    Ok(told)
}

/// The crates of a stage: its library and its program.
fn crates(number: u32, sources: &Sources<'_>) -> Result<Vec<Rc<Crate>>> {
    let package = stages::package(sources.workspace, number)?;
    package
        .root_files()
        .map(|root| sources.read_crate(root))
        .collect()
}

/// The texts of the files that the items are in.
fn texts(items: &[Listed<'_>]) -> Result<Vec<String>> {
    let files: BTreeSet<&Path> = items.iter().map(Listed::file).collect();
    let read =
        |file: &Path| fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
    files.into_iter().map(read).collect()
}

/// Whether prose means this item by `name`, which may be that of its file.
fn is_meant(item: &Listed<'_>, name: &str) -> bool {
    item.is_meant_by(name) || (name.ends_with(".rs") && item.file().ends_with(name))
}

/// What the listings of a page show.
fn shown(page: &Page<'_>, sources: &Sources<'_>) -> Shown {
    let mut shown = Vec::new();
    for (_, directive) in directives::of_page(&page.source.text) {
        match directive {
            // What cannot be cut is told where it is shown.
            Directive::Items(items) => {
                let cuts = items.paths.iter().flat_map(|path| sources.cut(path, Show::Code));
                shown.extend(cuts.map(|cut| (cut.file, cut.range)));
            }
            Directive::File { package, path } => {
                let file = sources.file(&package, &path);
                shown.extend(file.map(|(file, text)| (file, 0..text.len())));
            }
            _ => {}
        }
    }
    shown
}

fn is_shown(item: &Listed<'_>, shown: &Shown) -> bool {
    let range = item.range();
    let contains = |part: &Range<usize>| part.start <= range.start && range.end <= part.end;
    shown
        .iter()
        .any(|(file, part)| file == item.file() && contains(part))
}

/// An impl block with items in it, which are looked at one by one.
fn has_items(block: &Listed<'_>, items: &[Listed<'_>]) -> bool {
    let range = block.range();
    let within = |item: &Listed<'_>| item.range().start > range.start && item.range().end < range.end;
    items
        .iter()
        .any(|item| item.file() == block.file() && within(item))
}

/// An entry of the list below "Not shown".
#[derive(Debug, Default, PartialEq, Eq)]
struct Bullet {
    line: usize,
    names: Vec<String>,
    /// How many of the names stand before the reason, joined by commas and "and".
    leading: usize,
    /// How many words the reason has.
    reason: usize,
}

fn not_shown<'a>(lines: impl Iterator<Item = (usize, &'a str)>) -> Vec<Bullet> {
    let title = |line: &str| line.trim_start_matches(['#', '*', ' ']).starts_with("Not shown");
    let mut texts: Vec<(usize, String)> = Vec::new();
    for (number, line) in lines.skip_while(|(_, line)| !title(line)).skip(1) {
        match (
            line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")),
            texts.last_mut(),
        ) {
            (Some(text), _) => texts.push((number, text.to_owned())),
            (None, Some((_, text))) if line.starts_with("  ") => {
                text.push(' ');
                text.push_str(line.trim());
            }
            _ => {}
        }
    }
    texts
        .into_iter()
        .map(|(line, text)| bullet(line, &text))
        .collect()
}

fn bullet(line: usize, text: &str) -> Bullet {
    let names: Vec<String> = code_spans(text).into_iter().map(str::to_owned).collect();
    let mut rest = text.trim_start();
    let mut leading = 0;
    while let Some((_, after)) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        leading += 1;
        rest = after.trim_start_matches([',', ' ']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    Bullet {
        line,
        names,
        leading,
        reason: rest.split_whitespace().count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_reason_are_told_apart() {
        let text =
            "- no\nNot shown on this page:\n\n- `A::new`, `B` and\n  `c` put a value into `d`.\n- `E`: no.\n";
        let bullets = not_shown(text.lines().zip(1..).map(|(line, number)| (number, line)));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = [
            Bullet {
                line: 4,
                names: names(&["A::new", "B", "c", "d"]),
                leading: 3,
                reason: 5,
            },
            Bullet {
                line: 6,
                names: names(&["E"]),
                leading: 1,
                reason: 2,
            },
        ];
        assert_eq!(bullets, expected);
    }
}
