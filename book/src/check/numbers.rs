//! Every number in a chapter's prose comes from a run.
//!
//! Small numbers are counted by the reader, and many are no results: a chapter, a turn, a seed. But who reads a number with
//! three digits believes that somebody has seen it. So it is a `{{fact ..}}`, or stands in code; the design note, which tells
//! of other programs and of years, is left out.

use super::{Page, Told};

/// From how many digits on. Behind the point are those of versions.
const DIGITS: usize = 3;

pub(super) fn check(page: &Page<'_>) -> Told {
    let design_note = page.section("Design note");
    let is_note = |line: usize| {
        design_note.is_some_and(|note| (note.line..=note.line + note.lines.len()).contains(&line))
    };
    let mut told = Vec::new();
    for (line, text) in &page.markdown.prose {
        for number in numbers(text) {
            // A fact is nothing but zeros here.
            let is_fact = number.bytes().all(|digit| digit == b'0');
            let whole = number.split('.').next().unwrap_or_default();
            let digits = whole.bytes().filter(u8::is_ascii_digit).count();
            if digits >= DIGITS && !is_fact && !is_note(*line) {
                told.push((
                    *line,
                    format!("the number {number} comes from no run: make it a `{{{{fact ..}}}}`"),
                ));
            }
        }
    }
    told
}

/// Digits, with the commas and points between them.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|letter: char| !(letter.is_alphanumeric() || letter == ',' || letter == '.'));
    let trimmed = parts.map(|part| part.trim_matches([',', '.']));
    trimmed.filter(|part| part.starts_with(|letter: char| letter.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_found_in_prose() {
        let found: Vec<&str> = super::numbers("With 1,000 (not 12) bricks, x900, 2003.").collect();
        assert_eq!(found, ["1,000", "12", "2003"]);
    }
}
