//! What holds for every page, whatever it is about.
//!
//! A reader who hears the page instead of seeing it moves by headings, and a picture is what its text says. The words
//! that are not allowed tell somebody who is stuck that it was easy.

use super::{Page, Told};

const BELITTLING: [&str; 4] = ["simply", "just", "obviously", "trivially"];

pub(super) fn check(page: &Page<'_>) -> Told {
    let mut told = page.markdown.faults.clone();
    for (line, text) in &page.markdown.prose {
        for word in text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'') {
            if BELITTLING.contains(&word.to_lowercase().as_str()) {
                told.push((*line, format!("the word `{word}` explains nothing: leave it out")));
            }
        }
    }
    told
}
