//! Numbers that a stored run has printed, so that prose cannot drift from what the programs do.
//!
//! A fact is looked up in a transcript: the one line that begins with a label, and a number behind the label. The
//! package's tests run the transcript's command again and compare every byte, so a number that changes fails a test, and
//! when the transcript is stored anew, the prose follows. Facts of their own, in files of their own, would be runs that
//! no reader can repeat by typing a command; so there are none.

use anyhow::{Result, bail};

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
    let (file, text) = sources.file(&fact.package, &format!("transcripts/{}.txt", fact.name))?;
    let shown = sources.workspace.relative(&file);
    let label = fact.label.trim();
    let starts = |line: &&str| match line.trim_start().strip_prefix(label) {
        // A label is whole words: `1` does not find the line of 100.
        Some(rest) => !(rest.starts_with(is_word) && label.ends_with(is_word)),
        None => false,
    };
    let lines: Vec<&str> = text.lines().filter(starts).collect();
    let line = match lines.as_slice() {
        [line] => line.trim_start(),
        [] => bail!("{shown}: no line begins with {label:?}"),
        several => bail!("{shown}: {} lines begin with {label:?}", several.len()),
    };
    let rest = &line[label.len()..];
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
    fn numbers_are_found_in_text() {
        let found: Vec<&str> = numbers(" 4  3.5, x9 7us (12) 8. .").collect();
        assert_eq!(found, ["4", "3.5", "7", "12", "8"]);
    }
}
