//! The template of a chapter's page.
//!
//! All chapters have the same sections in the same order, because a reader who wants to look something up later, or who
//! skips, then knows where it is. What a section must contain is what makes it that section: a step is shown, a wrong
//! turn is run, a prediction can be compared.

use std::path::Path;

use super::{Page, Section, Told};
use crate::directives::{self, Directive};
use crate::pages::Source;
use crate::stages;
use crate::workspace::Workspace;

/// The sections. The title of the design note goes on behind a colon.
const SECTIONS: [&str; 12] = [
    "What we cannot do yet",
    "Predict",
    "The smallest thing that works",
    "A wrong turn",
    "From inside",
    "Invariants",
    "What it costs",
    "What changed",
    "Check yourself",
    "Exercises",
    DESIGN_NOTE,
    "Words",
];

const DESIGN_NOTE: &str = "Design note: ";

/// Chapters in which readers fall, and which therefore have more room.
const LONG_CHAPTERS: [u32; 4] = [5, 7, 9, 10];

pub(super) fn check(page: &Page<'_>, number: u32, pages: &[Source], workspace: &Workspace) -> Told {
    let mut told = Vec::new();
    opening(page, &mut told);
    order(&page.sections(), &mut told);
    for section in page.sections() {
        contents(page, section, &mut told);
    }
    what_changed(page, number, pages, workspace, &mut told);
    let most = if LONG_CHAPTERS.contains(&number) {
        6_000
    } else {
        4_500
    };
    let words = page.markdown.words;
    if !(2_500..=most).contains(&words) {
        told.push((
            1,
            format!("the page has {words} words; a chapter has 2500 to {most}"),
        ));
    }
    told
}

/// The idea in one sentence, and the minutes it takes.
fn opening(page: &Page<'_>, told: &mut Told) {
    let end = page
        .sections()
        .first()
        .map_or(page.lines.len(), |section| section.line - 1);
    let mut paragraphs = page.lines[..end].split(|line| line.trim().is_empty()).skip(1);
    let idea = paragraphs.next().unwrap_or_default().join(" ");
    let inside = idea.strip_prefix('*').and_then(|idea| idea.strip_suffix(".*"));
    if inside.is_none_or(|idea| idea.contains(". ") || idea.starts_with('*')) {
        told.push((
            3,
            "below its title, a chapter says its idea in one sentence, in italics".to_owned(),
        ));
    }
    let rest = page.lines[..end].join(" ");
    let minutes = |what: &str| {
        let before = rest
            .split(&format!("minutes to {what}"))
            .next()
            .unwrap_or_default();
        let number = before.split_whitespace().last().unwrap_or_default();
        before.len() < rest.len() && number.parse::<u32>().is_ok()
    };
    if !(minutes("read") && minutes("do")) {
        let message = "before its first section, a chapter says how many `minutes to read` and `minutes to do` it takes";
        told.push((5, message.to_owned()));
    }
}

/// The first section that is not the one that comes there.
fn order(sections: &[Section<'_>], told: &mut Told) {
    let fits = |title: &str, wanted: &str| match wanted {
        DESIGN_NOTE => title.len() > wanted.len() && title.starts_with(wanted),
        _ => title == wanted,
    };
    let mut found = sections.iter();
    for wanted in SECTIONS {
        match found.next() {
            Some(section) if fits(section.title, wanted) => {}
            Some(section) => {
                let message = format!("the section `{}` stands where `{wanted}` belongs", section.title);
                return told.push((section.line, message));
            }
            None => {
                let line = sections.last().map_or(1, |section| section.line);
                return told.push((line, format!("the section `{wanted}` is missing")));
            }
        }
    }
    if let Some(section) = found.next() {
        told.push((
            section.line,
            format!("a chapter has no section `{}`", section.title),
        ));
    }
}

/// What makes a section what its title says.
fn contents(page: &Page<'_>, section: Section<'_>, told: &mut Told) {
    let runs =
        section.count("{{transcript ") + section.count("{{player ") + section.count("{{compiler-error ");
    let mut lacks = |missing: bool, what: &str| {
        if missing {
            told.push((section.line, format!("`{}` {what}", section.title)));
        }
    };
    match section.title {
        "What we cannot do yet" => lacks(
            section.count("{{") == 0,
            "shows nothing: what fails is to be seen",
        ),
        "Predict" => lacks(section.count("<details>") == 0, "has no folded answer"),
        "The smallest thing that works" => steps(page, section, told),
        "A wrong turn" => {
            lacks(section.count("::wrong::") == 0, "shows no code of `wrong`");
            lacks(runs == 0, "runs nothing: what goes wrong is to be seen");
        }
        "From inside" => lacks(runs == 0, "shows neither a player nor a transcript"),
        "What it costs" => {
            let numbers = runs + section.count("{{fact ");
            lacks(numbers == 0, "has no number that comes from a run");
        }
        "Check yourself" => lacks(
            section.count("<details>") < 3,
            "has fewer than three folded answers",
        ),
        "Words" => lacks(section.count("{{words}}") != 1, "is one `{{words}}`"),
        title if title.starts_with(DESIGN_NOTE) => {
            let sources = page
                .subsections(section)
                .into_iter()
                .find(|part| part.title == "Sources");
            let links = sources.map_or(0, |sources| sources.count("](http"));
            lacks(links == 0, "has no part `Sources` with links");
        }
        _ => {}
    }
}

/// Three to six steps, each with something to look at.
fn steps(page: &Page<'_>, section: Section<'_>, told: &mut Told) {
    let steps = page.subsections(section);
    if !(3..=6).contains(&steps.len()) {
        told.push((
            section.line,
            format!("{} steps; a chapter has three to six", steps.len()),
        ));
    }
    for (step, number) in steps.iter().zip(1..) {
        let prefix = format!("Step {number}: ");
        if !(step.title.starts_with(&prefix) && step.title.len() > prefix.len()) {
            told.push((
                step.line,
                format!("`{}` stands where `{prefix}...` belongs", step.title),
            ));
        }
        if step.count("{{") == 0 {
            told.push((step.line, format!("`{}` shows nothing", step.title)));
        }
    }
}

/// From the second stage on, a page of its own shows the whole difference, and the chapter links to it.
fn what_changed(page: &Page<'_>, number: u32, pages: &[Source], workspace: &Workspace, told: &mut Told) {
    let (Some(section), Some(_)) = (page.section("What changed"), stages::previous(workspace, number)) else {
        return;
    };
    let name = format!("changes{number:02}.md");
    if section.count(&format!("]({name})")) == 0 {
        told.push((section.line, format!("`What changed` has no link to {name}")));
    }
    let shows = |source: &Source| {
        let directives = directives::of_page(&source.text);
        let mut directives = directives.iter().map(|(_, directive)| directive);
        directives.any(|directive| matches!(directive, Directive::Diff { from: None, to } if *to == number))
    };
    let there = pages.iter().find(|source| source.path == Path::new(&name));
    if !there.is_some_and(shows) {
        let message = format!("there is no page {name} with `{{{{diff {number}}}}}`, the whole difference");
        told.push((section.line, message));
    }
}
