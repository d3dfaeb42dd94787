//! Listings: code, transcripts and numbers that the pages name and never copy.
//!
//! A page says which item it shows; this preprocessor cuts it out of the source that is compiled and tested. What is
//! no longer there stops the build, with the page's file and line. A directive stands alone on its line, outside of
//! code blocks:
//!
//! - `{{item PACKAGE::path::to::Item}}`: one item (see [`crate::source`] for paths); `PACKAGE/TARGET::...` cuts from an
//!   example, a program or a test. Options: `docs` shows its doc comments too; `from "LINE"` and `to "LINE"` show a part
//!   of it, from one literal line to the next that is equal to the other; `unmarked` leaves out the marks;
//! - `{{items PACKAGE::a PACKAGE::b}}`: several items in one block;
//! - `{{file PACKAGE path/in/package.rs}}`: a whole file;
//! - `{{transcript PACKAGE NAME}}`: `transcripts/NAME.txt` of the package, which its tests re-run;
//! - `{{player PACKAGE NAME "TITLE"}}`: the same run, recorded in `traces/NAME.jsonl` (see [`crate::player`]);
//! - `{{compiler-error PACKAGE NAME}}`: `errors/NAME.txt`, what the compiler says to `errors/NAME.rs`; the package's
//!   tests compile it again and compare code, main message and line;
//! - `{{same PACKAGE PACKAGE path/of/file.rs path::of::Item}}`: the claim that not one line differs; `old.rs=new.rs` names
//!   one that has moved;
//! - `{{diff STAGE}}`, `{{diff STAGE STAGE}}`: the whole difference between two stages, by default from the one before;
//! - `{{hints chNN/eN_name}}`: the three hints of an exercise, folded;
//! - `{{words}}`: the terms that the page defines, from the glossary.
//!
//! `{{fact PACKAGE NAME "LABEL" N}}` stands inside a line of prose: the Nth number (the first, if it says nothing) behind
//! LABEL in a transcript of the package. With `in-words`, three is written for 3. If NAME ends with `.md`, it is that file of
//! the package, and LABEL the first cell of a row of a table in it. `{{fact PACKAGE src "lines of code"}}` counts lines.
//!
//! `\{{item ...}}` is shown as it stands, without the backslash. A listing of a chapter's own stage says
//! and marks what has changed since the stage before, and where a page defines a term, in bold, the term links to the glossary.
//!
//! A directive is text in, Markdown out, so mdBook may run this as a program: the pages are the same as in process.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::rc::Rc;

use anyhow::{Result, anyhow, bail};
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::directives::{Directive, Fence, Items, directive_in, fact_in, unescape};
use crate::facts;
use crate::figures::{self, Marked, code, indented};
use crate::glossary::Glossary;
use crate::hints;
use crate::player;
use crate::problem::{Problem, Problems};
use crate::source::{Cut, Show};
use crate::sources::{Since, Sources};
use crate::stages;
use crate::workspace::Workspace;

/// The name in `book.toml`.
pub const NAME: &str = "listings";

/// The most lines that `{{item}}` and `{{items}}` may show: a longer listing is not read, and wants to be cut into
/// smaller items.
pub const LONGEST: usize = 25;

/// The most characters in a line of a listing: what fits on a page beside the sidebar.
pub const WIDEST: usize = 87;

/// The preprocessor.
#[derive(Debug, Default)]
pub struct Listings {
    /// The workspace, if it is known already.
    pub workspace: Option<Rc<Workspace>>,
}

impl Preprocessor for Listings {
    fn name(&self) -> &str {
        NAME
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let workspace = match &self.workspace {
            Some(workspace) => Rc::clone(workspace),
            None => Rc::new(Workspace::load(&context.root)?),
        };
        let pages = context.root.join(&context.config.book.src);
        let sources = Sources::new(&workspace);
        let chapters = book.chapters();
        let texts =
            chapters.filter_map(|chapter| Some((chapter.source_path.as_deref()?, chapter.content.as_str())));
        let texts: Vec<(&Path, &str)> = texts.collect();
        let glossary = Glossary::read(texts.into_iter());
        let mut problems = Vec::new();
        book.for_each_chapter_mut(|chapter| {
            // A chapter without a file was made up by another preprocessor: it has no directives.
            let Some(path) = &chapter.source_path else {
                return;
            };
            let page = Page {
                path,
                file: &workspace.relative(&pages.join(path)),
                text: &chapter.content,
            };
            let (text, told) = page.expand(&sources, &glossary);
            chapter.content = text;
            problems.extend(told);
        });
        // The order in which mdBook visits pages is not the reader's.
        problems.sort();
        Problems(problems).check()?;
        Ok(book)
    }

    fn supports_renderer(&self, _renderer: &str) -> Result<bool> {
        // What it writes is Markdown that every renderer understands.
        Ok(true)
    }
}

/// A page, before its directives are replaced.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Its path among the pages.
    pub path: &'a Path,
    /// Its path for messages.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Page<'_> {
    /// The page with its directives replaced, and what went wrong.
    pub fn expand(&self, sources: &Sources<'_>, glossary: &Glossary) -> (String, Vec<Problem>) {
        let mut expanded = String::with_capacity(self.text.len());
        let mut problems = Vec::new();
        let mut fence = Fence::default();
        let text = glossary.linked(self.path, self.text);
        for (line, number) in text.lines().zip(1..) {
            let inside = fence.step(line);
            let shown = directive_in(line, inside).and_then(|found| match found {
                None if inside => Ok(unescape(line)),
                None => with_facts(line, sources).map(|line| unescape(&line)),
                Some(directive) => {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    let shown = show(&directive, self.path, sources, glossary)?;
                    Ok(indented(&shown, indent).trim_end_matches('\n').to_owned() + "\n")
                }
            });
            match shown {
                Ok(text) => {
                    expanded.push_str(&text);
                    expanded.push('\n');
                }
                Err(error) => problems.push(Problem {
                    file: self.file.to_owned(),
                    line: Some(number),
                    message: format!("{error:#}"),
                }),
            }
        }
        (expanded, problems)
    }
}

/// The line with its facts replaced by their numbers.
fn with_facts(line: &str, sources: &Sources<'_>) -> Result<String> {
    let mut shown = String::new();
    let mut rest = line;
    while let Some((start, end, fact)) = fact_in(rest) {
        shown.push_str(&rest[..start]);
        shown.push_str(&facts::find(&fact?, sources)?);
        rest = &rest[end..];
    }
    Ok(shown + rest)
}

/// The Markdown that stands in for a directive.
fn show(directive: &Directive, page: &Path, sources: &Sources<'_>, glossary: &Glossary) -> Result<String> {
    match directive {
        Directive::Items(items) => show_items(items, page, sources),
        Directive::File { package, path } => {
            let (file, text) = sources.file(package, path)?;
            let caption = code(&sources.workspace.relative(&file));
            Ok(match Path::new(path).extension().and_then(|e| e.to_str()) {
                Some("rs") => figures::rust(&caption, &text),
                Some("toml") => figures::fenced("listing", Some(&caption), "toml", &text),
                Some("sh") => figures::fenced("listing", Some(&caption), "sh", &text),
                Some("md") => figures::fenced("listing", Some(&caption), "markdown", &text),
                _ => figures::fenced("listing", Some(&caption), "text", &text),
            })
        }
        Directive::Transcript { package, name } => {
            let (file, text) = sources.file(package, &format!("transcripts/{name}.txt"))?;
            if !text.starts_with("$ ") {
                let file = sources.workspace.relative(&file);
                bail!("{file}: a transcript begins with `$ ` and the command");
            }
            Ok(figures::fenced("transcript", None, "console", &text))
        }
        Directive::Player { package, name, title } => {
            let (file, trace) = sources.file(package, &format!("traces/{name}.jsonl"))?;
            let (_, transcript) = sources.file(package, &format!("transcripts/{name}.txt"))?;
            player::show(&sources.workspace.relative(&file), &trace, &transcript, title)
        }
        Directive::CompilerError { package, name } => {
            let (file, text) = sources.file(package, &format!("errors/{name}.txt"))?;
            if !text.starts_with("error") {
                let file = sources.workspace.relative(&file);
                bail!("{file}: it begins with `error`, as the compiler prints it");
            }
            Ok(figures::fenced("transcript", None, "text", &text))
        }
        Directive::Same { old, new, what } => same(old, new, what, sources),
        Directive::Diff { from, to } => {
            let (from, changes) = stages::compare(sources.workspace, *from, *to)?;
            Ok(stages::to_page(from, &changes))
        }
        Directive::Hints(exercise) => hints::folded(exercise, sources),
        Directive::Words => glossary
            .words(page)
            .ok_or_else(|| anyhow!("the page defines no term that the glossary has")),
    }
}

fn show_items(items: &Items, page: &Path, sources: &Sources<'_>) -> Result<String> {
    let mut listing = Marked::default();
    let mut cuts: Vec<(Cut, Since)> = Vec::new();
    for path in &items.paths {
        let mut cut = sources.cut(path, items.show)?;
        let mut since = sources.since(path, &cut, items.show, stages::of_page(page))?;
        if items.in_part() {
            let lines = part(&cut.text, items)?;
            if let Since::Stage { changes, .. } = &mut since {
                changes.new = changes.new[lines.clone()].to_vec();
                // Where lines are gone, nothing says whether it was in the part.
                changes.gone = 0;
            }
            let shown: Vec<&str> = cut.text.lines().skip(lines.start).take(lines.len()).collect();
            cut.text = crate::source::dedent(&shown.join("\n"));
        }
        cuts.push((cut, since));
    }
    // Where all is new, a mark on every line would say nothing that the caption does not.
    let changed =
        |(_, since): &(Cut, Since)| matches!(since, Since::Stage { changes, .. } if changes.added() > 0);
    let is_marked = items.marked && cuts.iter().any(changed);
    for (cut, since) in &cuts {
        let new = match since {
            Since::Stage { changes, .. } => changes.new.clone(),
            Since::New => vec![true; cut.text.lines().count()],
            Since::Nothing => Vec::new(),
        };
        listing.append(&cut.text, &new);
    }
    let lines = listing.new.len();
    if lines > LONGEST {
        bail!("a listing of {lines} lines; {LONGEST} is the most: show smaller items");
    }
    let wide = listing.text.lines().find(|line| line.chars().count() > WIDEST);
    if let Some(line) = wide {
        let width = line.chars().count();
        bail!(
            "a line of {width} characters; {WIDEST} is the most: `{}`",
            line.trim()
        );
    }
    let caption = figures::items_caption(&cuts, items.in_part(), sources.workspace);
    Ok(match is_marked {
        true => figures::marked(&caption, &listing),
        false => figures::rust(&caption, &listing.text),
    })
}

/// The lines of an item from the one line that `from` names to the next that `to` names.
fn part(text: &str, items: &Items) -> Result<std::ops::Range<usize>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let start = match items.from.as_deref().map(str::trim) {
        None => 0,
        Some(from) => {
            let mut found = (0..lines.len()).filter(|n| lines[*n] == from);
            match (found.next(), found.next()) {
                (Some(line), None) => line,
                (None, _) => bail!("the item has no line `{from}`"),
                _ => bail!("the item has more than one line `{from}`"),
            }
        }
    };
    let end = match items.to.as_deref().map(str::trim) {
        None => lines.len(),
        Some(to) => match (start..lines.len()).find(|n| lines[*n] == to) {
            Some(line) => line + 1,
            None => bail!("the item has no line `{to}` there"),
        },
    };
    Ok(start..end)
}

/// A claim that is true: not one line differs.
fn same(old: &str, new: &str, what: &[String], sources: &Sources<'_>) -> Result<String> {
    let mut names = Vec::new();
    for what in what {
        let (there, here) = what.split_once('=').unwrap_or((what, what));
        let is_file = here.contains('/') || Path::new(here).extension().is_some();
        let read = |package: &str, what: &str| -> Result<(String, String)> {
            Ok(match is_file {
                true => {
                    let (file, text) = sources.file(package, what)?;
                    (sources.workspace.relative(&file), text)
                }
                false => {
                    let cut = sources.cut(&format!("{package}::{what}"), Show::Code)?;
                    (sources.workspace.relative(&cut.file), cut.text)
                }
            })
        };
        let ((_, old_text), (file, new_text)) = (read(old, there)?, read(new, here)?);
        if old_text != new_text {
            let differs = |n: &usize| old_text.lines().nth(*n) != new_text.lines().nth(*n);
            let line = (0..).find(differs).unwrap_or_default() + 1;
            let place = match is_file {
                true => format!("{file}:{line}"),
                false => format!("line {line} of the item in {file}"),
            };
            bail!("`{here}` is not the same in `{old}` and `{new}`; the first difference: {place}");
        }
        names.push(match there == here {
            true => format!("`{here}`"),
            false => format!("`{here}` (there `{there}`)"),
        });
    }
    let names = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    };
    let since = match stages::of_package(old) {
        Some(stage) => format!("chapter {stage}"),
        None => format!("`{old}`"),
    };
    Ok(format!(
        "*Checked whenever this book is built: not one line of* {names} *has changed since* {since}.\n"
    ))
}
