//! The terms of the book: explained in `glossary.md`, defined where they are bold in a page.
//!
//! The glossary is a definition list. Its entries receive a link to the place where the page defines the term; that
//! place receives a link to the entry; and `{{words}}` repeats the entries of all terms that its page defines.

use std::fmt::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::markdown::{Bold, Page};
use crate::problem::Problem;
use crate::stages;

/// The page with all terms.
pub const PAGE: &str = "glossary.md";

/// All terms, and where they are defined.
#[derive(Debug, Default)]
pub struct Glossary {
    /// The glossary's page exists.
    exists: bool,
    entries: Vec<Entry>,
    definitions: Vec<Definition>,
}

#[derive(Debug)]
struct Entry {
    term: String,
    meaning: String,
    /// The line of the term.
    line: usize,
    /// The last line of its meaning.
    last_line: usize,
}

/// A bold term.
#[derive(Debug)]
struct Definition {
    /// As the glossary spells it; or as the page does, if the glossary does not have it.
    term: String,
    known: bool,
    page: PathBuf,
    title: String,
    line: usize,
    range: Range<usize>,
}

impl Glossary {
    /// Reads the glossary and all definitions from the pages, given by their path and their text.
    pub fn read<'p>(pages: impl Iterator<Item = (&'p Path, &'p str)> + Clone) -> Glossary {
        let mut glossary = Glossary::default();
        let is_glossary = |path: &Path| path == Path::new(PAGE);
        if let Some((_, text)) = pages.clone().find(|(path, _)| is_glossary(path)) {
            glossary.exists = true;
            glossary.entries = entries(text);
        }
        for (path, text) in pages.filter(|(path, _)| !is_glossary(path)) {
            let page = Page::read(text);
            let title = match stages::of_page(path) {
                Some(number) => format!("chapter {number}"),
                None => page.headings.first().map(|h| h.text.clone()).unwrap_or_default(),
            };
            for bold in &page.bold {
                let entry = glossary.entry(&bold.text);
                // Outside of chapters, what is bold may be no term.
                if entry.is_none() && (stages::of_page(path).is_none() || is_label(bold)) {
                    continue;
                }
                let definition = Definition {
                    term: entry.map_or(&bold.text, |entry| &entry.term).clone(),
                    known: entry.is_some(),
                    page: path.to_owned(),
                    title: title.clone(),
                    line: bold.line,
                    range: bold.range.clone(),
                };
                glossary.definitions.push(definition);
            }
        }
        glossary
    }

    /// The entry of a bold term. The page may write it in the plural or with a capital.
    fn entry(&self, bold: &str) -> Option<&Entry> {
        let bold = bold.to_lowercase();
        self.entries.iter().find(|entry| {
            let term = entry.term.to_lowercase();
            term == bold || format!("{term}s") == bold
        })
    }

    /// What is wrong: terms that nobody defines or that two places define, bold terms that the glossary does not
    /// have. `shown` makes the path of a page for the message.
    pub fn check(&self, shown: impl Fn(&Path) -> String) -> Vec<Problem> {
        let problem = |page: &Path, line, message| Problem {
            file: shown(page),
            line: Some(line),
            message,
        };
        let glossary = Path::new(PAGE);
        let mut problems = Vec::new();
        for definition in self.definitions.iter().filter(|definition| !definition.known) {
            let term = &definition.term;
            let message = match self.exists {
                true => format!("the bold term `{term}` is not in {}", shown(glossary)),
                false => format!("the bold term `{term}`, but there is no {}", shown(glossary)),
            };
            problems.push(problem(&definition.page, definition.line, message));
        }
        for entry in &self.entries {
            let places = self.definitions.iter().filter(|found| found.term == entry.term);
            let places: Vec<&Definition> = places.collect();
            match places.as_slice() {
                [] => {
                    let message = format!("no page defines `{}`, in bold", entry.term);
                    problems.push(problem(glossary, entry.line, message));
                }
                [first, others @ ..] => {
                    for other in others {
                        let first = format!("{}:{}", shown(&first.page), first.line);
                        let message =
                            format!("`{}` is bold a second time; it is defined in {first}", entry.term);
                        problems.push(problem(&other.page, other.line, message));
                    }
                }
            }
            if entry.meaning.is_empty() {
                let message = format!("`{}` has no meaning: a line that begins with `: `", entry.term);
                problems.push(problem(glossary, entry.line, message));
            }
        }
        for pair in self.entries.windows(2) {
            let [before, after] = pair else { continue };
            if before.term.to_lowercase() >= after.term.to_lowercase() {
                let message = format!("`{}` belongs before `{}`", after.term, before.term);
                problems.push(problem(glossary, after.line, message));
            }
        }
        problems
    }

    /// A page's text with the links between terms and their meanings. No line is added or taken away.
    pub fn linked(&self, page: &Path, text: &str) -> String {
        if page == Path::new(PAGE) {
            let line = |(line, number)| format!("{line}{}\n", self.back_link(number).unwrap_or_default());
            return text.lines().zip(1..).map(line).collect();
        }
        let mut linked = text.to_owned();
        let mut seen: Vec<&str> = Vec::new();
        let mut places: Vec<&Definition> = Vec::new();
        for definition in self.definitions.iter().filter(|found| found.known) {
            // A second definition is told by `check`; its link would have the same id.
            if !seen.contains(&definition.term.as_str()) {
                seen.push(&definition.term);
                places.push(definition);
            }
        }
        // From the end, so that what comes before stays where it is.
        for definition in places.iter().rev().filter(|found| found.page == page) {
            let (slug, up) = (slug(&definition.term), up(page));
            let bold = &text[definition.range.clone()];
            let link = format!("<dfn id=\"def-{slug}\">[{bold}]({up}{PAGE}#{slug})</dfn>");
            linked.replace_range(definition.range.clone(), &link);
        }
        linked
    }

    /// What the lines of the glossary's own page receive at their end.
    fn back_link(&self, line: usize) -> Option<String> {
        let entry = self.entries.iter().find(|entry| entry.last_line == line)?;
        let definition = self.definitions.iter().find(|found| found.term == entry.term)?;
        let page = definition.page.to_string_lossy().replace('\\', "/");
        Some(format!(
            " ([{}]({page}#def-{}))",
            definition.title,
            slug(&entry.term)
        ))
    }

    /// The entries of all terms that a page defines, in its order, as a table.
    pub fn words(&self, page: &Path) -> Option<String> {
        let here = self
            .definitions
            .iter()
            .filter(|found| found.page == page && found.known);
        let mut terms: Vec<&String> = here.map(|definition| &definition.term).collect();
        let mut seen = Vec::new();
        terms.retain(|term| {
            !seen.contains(term) && {
                seen.push(term);
                true
            }
        });
        if terms.is_empty() {
            return None;
        }
        let mut table = "| word | meaning |\n|---|---|\n".to_owned();
        for entry in terms.iter().filter_map(|term| self.entry(term)) {
            let (term, meaning) = (&entry.term, &entry.meaning);
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "| [{term}]({}{PAGE}#{}) | {meaning} |",
                up(page),
                slug(term)
            );
        }
        Some(table)
    }
}

/// The terms of a definition list: a line, and below it `: meaning`, which may go on in indented lines.
fn entries(text: &str) -> Vec<Entry> {
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(meaning) = line.strip_prefix(": ") else {
            // A term without a meaning stands between blank lines, behind the first term.
            let alone = !line.is_empty() && lines.get(index + 1).is_none_or(|next| next.is_empty());
            let before = index.checked_sub(1).is_none_or(|before| lines[before].is_empty());
            if alone && before && !entries.is_empty() && !line.starts_with(['#', '<', '{', ' ']) {
                entries.push(entry(line, "", index, index));
            }
            continue;
        };
        let more = lines[index + 1..]
            .iter()
            .take_while(|line| line.starts_with("  "));
        let more: Vec<&str> = more.map(|line| line.trim()).collect();
        let last = index + more.len();
        let meaning = std::iter::once(meaning).chain(more).collect::<Vec<_>>().join(" ");
        if let Some(before) = index.checked_sub(1) {
            entries.push(entry(lines[before], &meaning, before, last));
        }
    }
    entries
}

fn entry(term: &str, meaning: &str, index: usize, last: usize) -> Entry {
    Entry {
        term: term.trim().to_owned(),
        meaning: meaning.trim().to_owned(),
        line: index + 1,
        last_line: last + 1,
    }
}

/// `**Goal.**` begins a paragraph and defines nothing.
fn is_label(bold: &Bold) -> bool {
    bold.text.ends_with(['.', ':', '?'])
}

/// The id that mdBook gives to a term of a definition list.
fn slug(term: &str) -> String {
    term.to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            letter if letter.is_alphanumeric() || matches!(letter, '_' | '-') => Some(letter),
            letter if letter.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}

/// The way from a page's folder to that of all pages.
fn up(page: &Path) -> String {
    "../".repeat(page.components().count().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOSSARY: &str = "# Glossary\n\nready queue\n: the tasks that\n  can go on\n\ntask\n: who runs\n";

    fn check(pages: &[(&str, &str)]) -> (Glossary, Vec<String>) {
        let glossary = Glossary::read(pages.iter().map(|(path, text)| (Path::new(*path), *text)));
        let problems = glossary.check(|path| path.to_string_lossy().into_owned());
        (glossary, problems.iter().map(Problem::to_string).collect())
    }

    #[test]
    fn terms_and_their_definitions_link_to_each_other() {
        let page = "# One\n\nThe **tasks** wait in the **ready queue**. **Goal.** No term.\n";
        let (glossary, problems) = check(&[("glossary.md", GLOSSARY), ("part/chapter01-one.md", page)]);
        assert_eq!(problems, [""; 0]);
        let path = Path::new("part/chapter01-one.md");
        let expected = page
            .replace(
                "**tasks**",
                "<dfn id=\"def-task\">[**tasks**](../glossary.md#task)</dfn>",
            )
            .replace(
                "**ready queue**",
                "<dfn id=\"def-ready-queue\">[**ready queue**](../glossary.md#ready-queue)</dfn>",
            );
        assert_eq!(glossary.linked(path, page), expected);
        assert_eq!(
            glossary.back_link(5).as_deref(),
            Some(" ([chapter 1](part/chapter01-one.md#def-ready-queue))")
        );
        assert_eq!(glossary.back_link(4), None);
        let words = glossary.words(path).expect("some");
        let expected = "| [task](../glossary.md#task) | who runs |\n\
                        | [ready queue](../glossary.md#ready-queue) | the tasks that can go on |\n";
        assert!(words.ends_with(expected), "{words}");
    }

    #[test]
    fn what_is_missing_or_twice_is_told() {
        let page = "# One\n\nA **task**.\n\nA **kernel**.\n";
        let (_, problems) = check(&[
            ("glossary.md", GLOSSARY),
            ("chapter01-one.md", page),
            ("front.md", "# Front\n\n**Loud** **task**\n"),
        ]);
        assert_eq!(
            problems,
            [
                "chapter01-one.md:5: the bold term `kernel` is not in glossary.md",
                "glossary.md:3: no page defines `ready queue`, in bold",
                "front.md:3: `task` is bold a second time; it is defined in chapter01-one.md:3",
            ]
        );
        let (_, problems) = check(&[("chapter01-one.md", "# One\n\nA **task**.\n")]);
        assert_eq!(
            problems,
            ["chapter01-one.md:3: the bold term `task`, but there is no glossary.md"]
        );
        let unsorted = "# G\n\ntask\n: x\n\nready\n\nqueue\n: y\n";
        let (_, problems) = check(&[
            ("glossary.md", unsorted),
            ("a.md", "# A\n**task** **queue** **ready**\n"),
        ]);
        assert_eq!(
            problems,
            [
                "glossary.md:6: `ready` has no meaning: a line that begins with `: `",
                "glossary.md:6: `ready` belongs before `task`",
                "glossary.md:8: `queue` belongs before `ready`",
            ]
        );
    }
}
