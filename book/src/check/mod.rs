//! Everything that must be true of the book, and that a build alone does not tell.
//!
//! `cargo run -p book -- check` builds the book and looks at every page. Each failure is one line with its file and its
//! line, and all failures are told at once, because whoever repairs a page wants to see the whole list. The rules are
//! those of the book's design: a reader who knows one chapter finds their way in all of them, and nothing that a page
//! says may be false without a check that says so.
//!
//! - every page (`pages`): one title, no heading level left out, pictures that say what they show, code blocks with a
//!   language, no word that belittles;
//! - a chapter (`template`): its sections and their order, its length;
//! - its numbers (`numbers`): those with three digits come from a run;
//! - its invariants (`invariants`): each names tests that exist;
//! - its exercises (`exercises`): each names its file and its command and shows its three hints;
//! - its stage (`coverage`): every item that the stage adds is shown, or named under "not shown" with a reason;
//! - what is stored (`stored`): every transcript, trace and compiler error is run again by a test; and here (`again`);
//! - terms ([`crate::glossary`]), directives ([`crate::listings`]), links ([`crate::links`]).
//!
//! What else needs code to run is in the tests of the chapters and in the gate of the exercises: this check is to be quick
//! enough to run after every change of a sentence.

mod again;
mod coverage;
mod exercises;
mod invariants;
mod numbers;
mod pages;
mod stored;
mod template;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Result, anyhow};

use crate::builder;
use crate::glossary::Glossary;
use crate::listings;
use crate::markdown;
use crate::pages::{Pages, Source};
use crate::problem::{Problem, Problems};
use crate::sources::Sources;
use crate::stages;
use crate::workspace::Workspace;

/// Builds the book in the folder `book` and checks it. The folder of the built book, and how many pages it has.
///
/// The programs are run only if they are to be (`run`).
pub fn check(book: &Path, run: bool) -> Result<(PathBuf, usize)> {
    let workspace = Rc::new(Workspace::load(book)?);
    let Pages {
        pages,
        missing,
        forgotten,
    } = Pages::read(book, &workspace)?;
    let mut problems = missing;
    problems.extend(forgotten);
    let sources = Sources::new(&workspace);
    problems.extend(of_pages(&pages, &sources)?);
    problems.extend(stored::check(&workspace)?);
    if run {
        problems.extend(again::check(&workspace)?);
    }
    let built = builder::build_in(book, &workspace);
    let site = match built {
        Ok(site) => Some(site),
        Err(error) => match error.downcast::<Problems>() {
            Ok(told) => {
                problems.extend(told.0);
                None
            }
            // It may be mdBook's way of telling what is told here better.
            Err(_) if !problems.is_empty() => None,
            Err(error) => return Err(error),
        },
    };
    problems.sort();
    problems.dedup();
    Problems(problems).check()?;
    let site = site.ok_or_else(|| anyhow!("the build failed and did not say why"))?;
    Ok((site, pages.len()))
}

/// What is wrong with the pages' sources.
fn of_pages(pages: &[Source], sources: &Sources<'_>) -> Result<Vec<Problem>> {
    let workspace = sources.workspace;
    let glossary = Glossary::read(pages.iter().map(|page| (page.path.as_path(), page.text.as_str())));
    let file = |path: &Path| {
        let page = pages.iter().find(|page| page.path == path);
        page.map_or_else(|| path.to_string_lossy().into_owned(), |page| page.file.clone())
    };
    let mut problems = glossary.check(file);
    for source in pages {
        let listings = listings::Page {
            path: &source.path,
            file: &source.file,
            text: &source.text,
        };
        problems.extend(listings.expand(sources, &glossary).1);
        let page = Page::read(source);
        let mut told = pages::check(&page);
        if let Some(number) = stages::of_page(&source.path) {
            told.extend(template::check(&page, number, pages, workspace));
            told.extend(numbers::check(&page));
            told.extend(invariants::check(&page, number, workspace)?);
            told.extend(exercises::check(&page, number, sources)?);
            told.extend(coverage::check(&page, number, sources)?);
        }
        problems.extend(told.into_iter().map(|(line, message)| Problem {
            file: source.file.clone(),
            line: Some(line),
            message,
        }));
    }
    Ok(problems)
}

/// What is wrong in a page: the line and the message.
type Told = Vec<(usize, String)>;

/// A page, read.
struct Page<'a> {
    source: &'a Source,
    markdown: markdown::Page,
    lines: Vec<&'a str>,
}

/// A heading of level 2 and what is below it.
#[derive(Clone, Copy, Debug)]
struct Section<'a> {
    title: &'a str,
    /// The line of its heading, from 1.
    line: usize,
    /// Its lines behind the heading.
    lines: &'a [&'a str],
}

impl<'a> Page<'a> {
    fn read(source: &'a Source) -> Page<'a> {
        Page {
            source,
            markdown: markdown::Page::read(&source.text),
            lines: source.text.lines().collect(),
        }
    }

    fn sections(&self) -> Vec<Section<'_>> {
        self.parts(2, 0, self.lines.len())
    }

    /// The section whose title begins like this.
    fn section(&self, title: &str) -> Option<Section<'_>> {
        self.sections()
            .into_iter()
            .find(|section| section.title.starts_with(title))
    }

    /// The parts of a section: a heading of level 3 and what is below it.
    fn subsections(&self, section: Section<'_>) -> Vec<Section<'_>> {
        self.parts(3, section.line, section.line + section.lines.len())
    }

    fn parts(&self, level: usize, after: usize, until: usize) -> Vec<Section<'_>> {
        let inside = |line: usize| (after + 1..=until).contains(&line);
        let headings = self
            .markdown
            .headings
            .iter()
            .filter(|heading| inside(heading.line));
        let headings: Vec<_> = headings.filter(|heading| heading.level <= level).collect();
        let mut parts = Vec::new();
        for (n, heading) in headings.iter().enumerate() {
            if heading.level == level {
                let end = headings.get(n + 1).map_or(until, |next| next.line - 1);
                parts.push(Section {
                    title: &heading.text,
                    line: heading.line,
                    lines: &self.lines[heading.line..end],
                });
            }
        }
        parts
    }
}

impl<'a> Section<'a> {
    /// Its lines with their numbers.
    fn numbered(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let lines = self.lines;
        lines
            .iter()
            .zip(self.line + 1..)
            .map(|(line, number)| (number, *line))
    }

    /// In how many lines a text is.
    fn count(&self, text: &str) -> usize {
        self.lines.iter().filter(|line| line.contains(text)).count()
    }
}

/// The code spans in a text.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
