//! An invariant is a promise, and a test keeps it: each invariant in a page names the tests that guard it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Page, Told, code_spans};
use crate::names;
use crate::stages;
use crate::workspace::Workspace;

pub(super) fn check(page: &Page<'_>, number: u32, workspace: &Workspace) -> Result<Told> {
    let mut told = Vec::new();
    let (Some(section), Ok(package)) = (page.section("Invariants"), stages::package(workspace, number))
    else {
        return Ok(told);
    };
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests"] {
        collect(&package.dir().join(folder), &mut tests)?;
    }
    let mut invariants: Vec<(usize, Vec<(usize, &str)>)> = Vec::new();
    for (line, text) in section.numbered() {
        let numbered = text
            .split_once(". ")
            .is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        let indented = text.starts_with(' ');
        match invariants.last_mut() {
            _ if numbered => invariants.push((line, vec![(line, text)])),
            Some((_, lines)) if indented => lines.push((line, text)),
            _ => {}
        }
    }
    if !(3..=6).contains(&invariants.len()) {
        let count = invariants.len();
        told.push((
            section.line,
            format!("{count} numbered invariants; a chapter has three to six"),
        ));
    }
    for (line, lines) in invariants {
        let is_named = |text: &str| text.contains("Test: ") || text.contains("Tests: ");
        let named = lines.iter().skip_while(|(_, text)| !is_named(text));
        let mut names = 0;
        for (line, text) in named {
            let text = text
                .split_once("Test")
                .filter(|_| is_named(text))
                .map_or(*text, |(_, tests)| tests);
            for name in code_spans(text) {
                names += 1;
                if !tests.contains(name) {
                    let hint = names::hint(name, tests.iter().map(String::as_str));
                    told.push((*line, format!("`{}` has no test `{name}`{hint}", package.name())));
                }
            }
        }
        if names == 0 {
            told.push((
                line,
                "an invariant names the test that guards it: Test: `name`".to_owned(),
            ));
        }
    }
    Ok(told)
}

/// The names of the tests in a folder's files.
fn collect(folder: &Path, tests: &mut BTreeSet<String>) -> Result<()> {
    let context = || format!("cannot read {}", folder.display());
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            collect(&path, tests)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            tests.extend(in_text(&fs::read_to_string(&path).with_context(context)?));
        }
    }
    Ok(())
}

/// The functions behind `#[test]`.
fn in_text(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        is_test |= line == "#[test]";
        let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("pub fn "));
        if let Some(name) = name {
            if is_test {
                found.push(name.split('(').next().unwrap_or_default().to_owned());
            }
            is_test = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_tests_are_found() {
        let text = "fn a() {}\n#[test]\n#[ignore]\nfn b() {\n    fn c() {}\n}\n// #[test]\nfn d() {}\n";
        assert_eq!(super::in_text(text), ["b"]);
    }
}
