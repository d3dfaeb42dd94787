//! The exercises: what a page says of them, and what there is.
//!
//! A page and the package `exercises` name each other: every stub has its place in the page, with its file, its command
//! and its hints, and whatever the page names exists. That the stubs fail and the solutions pass is for the gate to say;
//! here, a stub without a `todo!` is seen to be solved, and a solution with one to be none.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};

use super::{Page, Section, Told, code_spans};
use crate::hints;
use crate::sources::Sources;

/// What the heading of an exercise calls it.
const KINDS: [&str; 5] = ["predict", "fix", "rebuild", "extend", "open"];

const LABELS: [&str; 4] = [
    "**Goal.**",
    "**File.**",
    "**Command.**",
    "**What the tests check.**",
];

pub(super) fn check(page: &Page<'_>, number: u32, sources: &Sources<'_>) -> Result<Told> {
    let mut told = Vec::new();
    let Some(section) = page.section("Exercises") else {
        return Ok(told);
    };
    let mut stubs = stubs(number, sources)?;
    let mut kinds = Vec::new();
    for (part, count) in page.subsections(section).into_iter().zip(1_u32..) {
        let Some(kind) = kind(part.title, count) else {
            let kinds = KINDS.join(", ");
            let message = format!(
                "`{}`: expected `Exercise {count}, KIND: ...`, of {kinds}",
                part.title
            );
            told.push((part.line, message));
            continue;
        };
        kinds.push(kind);
        // Whoever solves it has nothing to compare it with; the instructor's guide says how to look at it.
        if kind != "open" {
            exercise(part, number, count, sources, &mut stubs, &mut told);
        }
    }
    if kinds.len() < 3 {
        told.push((
            section.line,
            format!("{} exercises; a chapter has at least three", kinds.len()),
        ));
    }
    if !kinds.contains(&"rebuild") {
        told.push((
            section.line,
            "no exercise to rebuild the chapter's central item".to_owned(),
        ));
    }
    for stub in stubs {
        told.push((
            section.line,
            format!("no exercise of this page has the file {stub}"),
        ));
    }
    Ok(told)
}

/// `predict` in `Exercise 1, predict: three tasks`.
fn kind(title: &str, number: u32) -> Option<&'static str> {
    let rest = title.strip_prefix(&format!("Exercise {number}, "))?;
    let (kind, goal) = rest.split_once(": ")?;
    KINDS.into_iter().find(|known| *known == kind && !goal.is_empty())
}

/// The files of a chapter's stubs, from the workspace's folder.
fn stubs(number: u32, sources: &Sources<'_>) -> Result<BTreeSet<String>> {
    let Ok(package) = sources.workspace.package(hints::PACKAGE) else {
        return Ok(BTreeSet::new());
    };
    let folder = package.dir().join(format!("ch{number:02}"));
    let context = || format!("cannot read {}", folder.display());
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let mut stubs = BTreeSet::new();
    for entry in fs::read_dir(&folder).with_context(context)? {
        stubs.insert(sources.workspace.relative(&entry.with_context(context)?.path()));
    }
    Ok(stubs)
}

fn exercise(
    part: Section<'_>,
    number: u32,
    count: u32,
    sources: &Sources<'_>,
    stubs: &mut BTreeSet<String>,
    told: &mut Told,
) {
    let mut lines = Vec::new();
    for label in LABELS {
        match part.numbered().find(|(_, line)| line.starts_with(label)) {
            Some((line, text)) if lines.last().is_none_or(|(before, _)| *before < line) => {
                lines.push((line, text))
            }
            Some((line, _)) => {
                return told.push((line, format!("{label} comes too early: {}", LABELS.join(" "))));
            }
            None => return told.push((part.line, format!("`{}` has no {label}", part.title))),
        }
    }
    let code = |line: usize| {
        let paragraph = part.numbered().skip_while(|(number, _)| *number < line);
        let paragraph = paragraph.take_while(|(_, text)| !text.trim().is_empty());
        paragraph
            .flat_map(|(_, text)| code_spans(text))
            .next()
            .unwrap_or_default()
    };
    let (file_line, command_line) = (lines[1].0, lines[2].0);
    let command = format!("cargo test -p {} --test ch{number:02} e{count}", hints::PACKAGE);
    if code(command_line) != command {
        told.push((command_line, format!("the command is `{command}`")));
    }
    let file = code(file_line);
    let prefix = format!("e{count}_");
    let name = file
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".rs"))
        .unwrap_or_default();
    if !stubs.remove(file) || !name.starts_with(&prefix) {
        let message = format!("`{file}` is not the file of this exercise, `ch{number:02}/{prefix}*.rs`");
        return told.push((file_line, message));
    }
    let exercise = format!("ch{number:02}/{name}");
    stub_and_solution(&exercise, file, file_line, sources, told);
    shown_hints(part, &exercise, sources, told);
}

/// The stub wants to be completed, and the solution is complete.
fn stub_and_solution(exercise: &str, file: &str, line: usize, sources: &Sources<'_>, told: &mut Told) {
    match sources.file(hints::PACKAGE, &format!("{exercise}.rs")) {
        Ok((_, text)) if text.contains("todo!(") => {}
        Ok(_) => told.push((
            line,
            format!("{file}: the stub has no `todo!`: somebody has solved it"),
        )),
        Err(error) => told.push((line, format!("{error:#}"))),
    }
    match sources.file(hints::PACKAGE, &format!("solutions/{exercise}.rs")) {
        Ok((file, text)) if text.contains("todo!(") => {
            let file = sources.workspace.relative(&file);
            told.push((line, format!("{file}: the solution has a `todo!`")));
        }
        Ok(_) => {}
        Err(error) => told.push((line, format!("{error:#}"))),
    }
}

/// `{{hints ..}}`, or the three hints word for word.
fn shown_hints(part: Section<'_>, exercise: &str, sources: &Sources<'_>, told: &mut Told) {
    let by_directive = part
        .numbered()
        .filter(|(_, line)| line.trim_start().starts_with("{{hints "));
    let by_directive: Vec<(usize, &str)> = by_directive.collect();
    match by_directive.as_slice() {
        // Who shows the page tells what is wrong with the file.
        [(_, line)] if line.trim() == format!("{{{{hints {exercise}}}}}") => return,
        [(line, _), ..] => return told.push((*line, format!("expected one `{{{{hints {exercise}}}}}`"))),
        [] => {}
    }
    let folded = part.count("<summary>Hint ");
    if folded != 3 {
        return told.push((
            part.line,
            format!("`{}` has {folded} hints, not three", part.title),
        ));
    }
    match hints::read(exercise, sources) {
        Err(error) => told.push((part.line, format!("{error:#}"))),
        Ok(hints) => {
            for (hint, number) in hints.iter().zip(1..) {
                if !part.lines.contains(&hint.as_str()) {
                    let message = format!("hint {number} is not that of hints/{exercise}.md, word for word");
                    told.push((part.line, message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_says_number_and_kind() {
        assert_eq!(kind("Exercise 2, rebuild: the heart", 2), Some("rebuild"));
        for title in [
            "Exercise 2, rebuild",
            "Exercise 1, rebuild: x",
            "Exercise 2, repeat: x",
            "Exercise 2: x",
        ] {
            assert_eq!(kind(title, 2), None, "{title}");
        }
    }
}
