//! Numbers that a stored run has printed, so that prose cannot drift from what the programs do.
//!
//! A fact is looked up in a transcript: the one line that begins with a label, and a number behind the label. The
//! package's tests run the transcript's command again and compare every byte, so a number that changes fails a test, and
//! when the transcript is stored anew, the prose follows. Facts of their own, in files of their own, would be runs that
//! no reader can repeat by typing a command; so there are none.
//!
//! What takes minutes to measure stands in a table, which says how it was measured: a file whose name ends with `.md`, in
//! which the label is the first cell of a row. No test measures it again, but a page says what the table says. And
//! `{{fact PACKAGE src "lines of code"}}` is how many lines of a package's sources are neither empty nor a comment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::directives::Fact;
use crate::sources::Sources;

const WORDS: [&str; 21] = [
    "none",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// The number, as it is to stand in the prose.
pub fn find(fact: &Fact, sources: &Sources<'_>) -> Result<String> {
    if fact.name == "src" && fact.label == "lines of code" {
        let folder = sources.workspace.package(&fact.package)?.dir().join("src");
        return Ok(lines_of_code(&folder)?.to_string());
    }
    let is_table = fact.name.ends_with(".md");
    let path = match is_table {
        true => fact.name.clone(),
        false => format!("transcripts/{}.txt", fact.name),
    };
    let (file, text) = sources.file(&fact.package, &path)?;
    let shown = sources.workspace.relative(&file);
    let label = fact.label.trim();
    let behind = |line| match is_table {
        true => behind_cell(line, label),
        false => behind_words(line, label),
    };
    let found: Vec<&str> = text.lines().filter_map(behind).collect();
    let what = if is_table { "row" } else { "line" };
    let rest = match found.as_slice() {
        [rest] => rest,
        [] => bail!("{shown}: no {what} begins with {label:?}"),
        several => bail!("{shown}: {} {what}s begin with {label:?}", several.len()),
    };
    let mut numbers = numbers(rest);
    let Some(number) = numbers.nth(fact.nth - 1) else {
        bail!("{shown}: no number {} behind {label:?}", fact.nth);
    };
    if !fact.in_words {
        return Ok(number.to_owned());
    }
    match number.parse::<usize>().ok().and_then(|number| WORDS.get(number)) {
        Some(word) => Ok((*word).to_owned()),
        None => bail!("{number} has no word here: leave `in-words` out"),
    }
}

/// How many lines of the files in a folder are neither empty nor a comment.
fn lines_of_code(folder: &Path) -> Result<usize> {
    let context = || format!("cannot read {}", folder.display());
    let mut lines = 0;
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            lines += lines_of_code(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(context)?;
            let counts = |line: &&str| !line.is_empty() && !line.starts_with("//");
            lines += text.lines().map(str::trim_start).filter(counts).count();
        }
    }
    Ok(lines)
}

/// What stands behind the label in its line. A label is whole words: `1` does not find the line of 100.
fn behind_words<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(label)?;
    (!(rest.starts_with(is_word) && label.ends_with(is_word))).then_some(rest)
}

/// What stands behind the first cell of a row, if the label is all that it says.
fn behind_cell<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let (cell, rest) = line.strip_prefix('|')?.split_once('|')?;
    (cell.trim() == label).then_some(rest)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The numbers in a text, with their fractions.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(is_word(letter) || letter == '.'))
        .map(|word| word.trim_matches('.'))
        .map(|word| {
            // `7us` is the number 7.
            let end = word.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
            &word[..end.unwrap_or(word.len())]
        })
        .filter(|number| number.starts_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_whole_words_or_cells() {
        assert_eq!(behind_words("  turns: 7", "turns:"), Some(" 7"));
        assert_eq!(behind_words("100 2", "1"), None);
        assert_eq!(
            behind_cell("| a, 1 of b | 2 | 3 |", "a, 1 of b"),
            Some(" 2 | 3 |")
        );
        assert_eq!(behind_cell("| a, 1 of b | 2 | 3 |", "a"), None);
        assert_eq!(behind_cell("a | 2", "a"), None);
    }

    #[test]
    fn numbers_are_found_in_text() {
        let found: Vec<&str> = numbers(" 4  3.5, x9 7us (12) 8. .").collect();
        assert_eq!(found, ["4", "3.5", "7", "12", "8"]);
    }
}
