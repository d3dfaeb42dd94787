//! Cutting items out of Rust source, by path.
//!
//! A crate is read once, from its root file through every `mod`, into a flat list of the items in it.
//! An item is then found by comparing names, which also makes "did you mean" a search of that list.
//! Nothing is expanded or resolved: an item is found where it is written, not where it is re-exported,
//! and an item that a macro generates does not exist here.
//!
//! An item's names:
//!
//! - `a::b::Item`: functions, types, traits, constants, statics, modules, `macro_rules!`;
//! - `a::b::<impl Trait for Type>`, `a::b::<impl Type>`: impl blocks, with or without their generics;
//! - `a::b::Type::method`, `a::b::Trait::method`, `a::b::<impl Trait for Type>::method`: what is inside.
//!
//! Some names are *full* (no two of them should meet), some are *short* (a method of a trait's impl as
//! `Type::method`, an impl block without its generics). Short names count only where no full name fits.

mod attributes;
mod reader;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, anyhow, bail};

use crate::names;
use attributes::without_quiet_attributes;

/// All items of one crate.
#[derive(Debug)]
pub struct Crate {
    items: Vec<Entry>,
}

/// An item, cut out.
#[derive(Debug)]
pub struct Cut {
    /// The source text, moved to the left margin, without a final newline.
    pub text: String,
    /// The item's name without its module's path.
    pub label: String,
    /// The item's path within the crate.
    pub path: String,
    /// The file it was cut from.
    pub file: PathBuf,
    /// Where in the file it is, in bytes.
    pub range: Range<usize>,
}

/// What an item is, as far as it matters to who asks whether a page shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A module, which is shown by showing what is in it.
    Module,
    /// An impl block: it is shown as a whole, or by what is in it.
    Impl,
    /// A type in an impl block, which belongs to what the impl block says.
    AssociatedType,
    /// Everything else.
    Other,
}

/// An item, as it is listed.
#[derive(Debug)]
pub struct Listed<'a>(&'a Entry);

/// How much of an item to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Code and ordinary comments; neither doc comments nor attributes such as `#[inline]`.
    Code,
    /// Everything, with the comment that stands directly above it.
    Docs,
}

#[derive(Debug)]
struct Entry {
    /// Names that only this item should have. The first is the one to suggest.
    full: Vec<String>,
    /// Names that it shares with others.
    short: Vec<String>,
    label: String,
    /// The type that an impl block, or an item in one, is about.
    type_name: Option<String>,
    kind: Kind,
    /// It is compiled for tests only.
    test: bool,
    file: Rc<File>,
    range: Range<usize>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: String,
}

impl Crate {
    /// Reads a crate, beginning at its root file.
    pub fn read(root: &Path) -> Result<Crate> {
        Ok(Crate {
            items: reader::read(root)?,
        })
    }

    /// All items that are not only for tests.
    pub fn items(&self) -> impl Iterator<Item = Listed<'_>> {
        self.items.iter().filter(|entry| !entry.test).map(Listed)
    }

    /// Finds an item by its path within the crate and cuts it out.
    pub fn cut(&self, path: &str, show: Show) -> Result<Cut> {
        let entry = self.find(path)?;
        let text = match show {
            Show::Code => without_quiet_attributes(&entry.file.text[entry.lines()]),
            Show::Docs => {
                let lines = entry.lines();
                let start = start_of_comment_above(&entry.file.text, lines.start);
                entry.file.text[start..lines.end].to_owned()
            }
        };
        Ok(Cut {
            text: dedent(&text),
            label: entry.label.clone(),
            path: entry.path(),
            file: entry.file.path.clone(),
            range: entry.range.clone(),
        })
    }

    /// The path of the only item with this label, modules aside.
    pub fn only_one_named(&self, label: &str) -> Option<String> {
        let named = |entry: &&Entry| entry.label == label && entry.kind != Kind::Module;
        let mut found = self.items.iter().filter(named);
        match (found.next(), found.next()) {
            (Some(entry), None) => Some(entry.path()),
            _ => None,
        }
    }

    /// Whether this crate has an item too: at the same path, or as the only one of that name.
    pub fn has(&self, item: &Listed<'_>) -> bool {
        let Listed(item) = item;
        let same = |entry: &&Entry| !entry.test && entry.full.iter().any(|path| item.full.contains(path));
        self.items.iter().any(|entry| same(&entry)) || self.only_one_named(&item.label).is_some()
    }

    /// Whether a path names exactly one item.
    pub fn knows(&self, path: &str) -> bool {
        self.candidates(&normal(path)).len() == 1
    }

    fn candidates(&self, wanted: &String) -> Vec<&Entry> {
        let full: Vec<&Entry> = self.items.iter().filter(|e| e.full.contains(wanted)).collect();
        match full.is_empty() {
            true => self.items.iter().filter(|e| e.short.contains(wanted)).collect(),
            false => full,
        }
    }

    fn find(&self, path: &str) -> Result<&Entry> {
        let wanted = normal(path);
        match self.candidates(&wanted).as_slice() {
            [one] => Ok(one),
            [] => Err(anyhow!("no item `{path}`{}", self.suggestion(&wanted))),
            several => {
                let places: Vec<String> = several.iter().map(|entry| entry.place()).collect();
                bail!("`{path}` could be {}", places.join(" or "))
            }
        }
    }

    /// The nearest path; or else the item of the same name in some other place.
    fn suggestion(&self, wanted: &str) -> String {
        let last = |path: &str| path.rsplit("::").next().unwrap_or(path).to_owned();
        let paths = || self.items.iter().map(|entry| entry.full[0].as_str());
        let namesake = || paths().find(|path| last(path) == last(wanted));
        // The names compared have lost their spaces; the one suggested is as one would write it.
        let found = names::nearest(wanted, paths()).or_else(namesake);
        let entry = self.items.iter().find(|e| Some(e.full[0].as_str()) == found);
        match entry {
            Some(entry) => format!("; did you mean `{}`?", entry.path()),
            None => String::new(),
        }
    }
}

impl Listed<'_> {
    /// The item's path within the crate, as one would write it.
    pub fn path(&self) -> String {
        self.0.path()
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The file it is in.
    pub fn file(&self) -> &Path {
        &self.0.file.path
    }

    /// Where in the file it is, in bytes.
    pub fn range(&self) -> Range<usize> {
        self.0.range.clone()
    }

    /// The line it begins in.
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// Whether `name`, as prose writes it, means this item: a part of its path, the type that its impl block
    /// is about, or `impl Trait for Type`.
    pub fn is_meant_by(&self, name: &str) -> bool {
        let name = normal(name);
        let wanted = segments(&name);
        let bare = |name: &str| {
            let name = name.trim_start_matches('<').trim_end_matches('>');
            name.trim_start_matches("impl").to_owned()
        };
        let mut names = self.0.full.iter().chain(&self.0.short);
        let in_a_path = |path: &String| {
            let path = segments(path);
            path.windows(wanted.len()).any(|part| part == wanted)
                || (name.starts_with("impl") && path.iter().any(|part| bare(part) == bare(&name)))
        };
        self.0.type_name.as_ref() == Some(&name) || names.any(in_a_path)
    }
}

impl Entry {
    /// The item's path as one would write it.
    fn path(&self) -> String {
        let module_length = self.full[0].len() - normal(&self.label).len();
        format!("{}{}", &self.full[0][..module_length], self.label)
    }

    fn place(&self) -> String {
        format!("`{}` ({}:{})", self.path(), self.file.path.display(), self.line())
    }

    fn line(&self) -> usize {
        1 + self.file.text[..self.range.start].matches('\n').count()
    }

    /// The item's text with the white space before it and a comment behind it on its last line.
    fn lines(&self) -> Range<usize> {
        let text = &self.file.text;
        let start = line_start(text, self.range.start);
        let start = if text[start..self.range.start].trim().is_empty() {
            start
        } else {
            self.range.start
        };
        let rest = text[self.range.end..].lines().next().unwrap_or_default();
        let end = match rest.trim_start().starts_with("//") {
            true => self.range.end + rest.trim_end().len(),
            false => self.range.end,
        };
        start..end
    }
}

fn parent(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_owned()
}

fn join(module: &str, name: &str) -> String {
    match module {
        "" => name.to_owned(),
        module => format!("{module}::{name}"),
    }
}

/// A path without white space, so that two spellings of one path are equal.
fn normal(path: &str) -> String {
    path.split_whitespace().collect()
}

/// Splits a path at `::` outside of angle brackets.
pub fn segments(path: &str) -> Vec<&str> {
    split(path, |rest| rest.starts_with("::").then_some(2))
}

/// Splits where `separator` gives the length of one, outside of angle brackets; drops empty parts.
pub fn split(text: &str, separator: impl Fn(&str) -> Option<usize>) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut position = 0;
    while position < text.len() {
        let rest = &text[position..];
        let length = match separator(rest).filter(|_| depth == 0) {
            Some(length) => {
                parts.push(&text[start..position]);
                start = position + length;
                length
            }
            None => {
                if rest.starts_with('<') {
                    depth += 1;
                } else if rest.starts_with('>') && !text[..position].ends_with(['-', '=']) {
                    depth = depth.saturating_sub(1);
                }
                rest.chars().next().map_or(0, char::len_utf8)
            }
        };
        position += length;
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn line_start(text: &str, position: usize) -> usize {
    text[..position].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the ordinary comment begins that ends directly above the line at `start`.
fn start_of_comment_above(text: &str, start: usize) -> usize {
    let mut start = start;
    while start > 0 {
        let above = line_start(text, start - 1);
        let line = text[above..start].trim();
        if !line.starts_with("//") || line.starts_with("//!") {
            break;
        }
        start = above;
    }
    start
}

/// The text moved left by the indentation of its first line.
pub fn dedent(text: &str) -> String {
    let text = text.trim_start_matches('\n').trim_end();
    let margin = text.len() - text.trim_start_matches(' ').len();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            &line[margin.min(spaces)..]
        })
        .collect();
    lines.join("\n")
}
