//! The pages of the book: what `SUMMARY.md` names, and what lies beside it.
//!
//! mdBook reads them itself when it builds; the checks read them here, as their authors wrote them, because a problem is
//! told with the line of the source.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mdbook_driver::config::Config;
use mdbook_summary::{SummaryItem, parse_summary};

use crate::problem::Problem;
use crate::workspace::Workspace;

/// The table of contents.
const SUMMARY: &str = "SUMMARY.md";

/// What it does not name: itself, and what is shown for an address that leads nowhere.
const UNNAMED: [&str; 2] = [SUMMARY, "404.md"];

/// All pages.
#[derive(Debug)]
pub struct Pages {
    /// In the order of the book.
    pub pages: Vec<Source>,
    /// Pages that are named and do not exist.
    pub missing: Vec<Problem>,
    /// Pages that exist and are not named.
    pub forgotten: Vec<Problem>,
}

/// A page's source.
#[derive(Debug)]
pub struct Source {
    /// Its path among the pages.
    pub path: PathBuf,
    /// Its path from the workspace's folder, for messages.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Pages {
    /// Reads the pages of the book in the folder `book`.
    pub fn read(book: &Path, workspace: &Workspace) -> Result<Pages> {
        let config = Config::from_disk(book.join("book.toml"))?;
        let folder = book.join(&config.book.src);
        let file = folder.join(SUMMARY);
        let summary_file = workspace.relative(&file);
        let summary = fs::read_to_string(&file).with_context(|| format!("cannot read {summary_file}"))?;
        let mut found = Pages {
            pages: Vec::new(),
            missing: Vec::new(),
            forgotten: Vec::new(),
        };
        for path in named(&summary).with_context(|| format!("in {summary_file}"))? {
            let file = folder.join(&path);
            if !file.is_file() {
                let name = path.to_string_lossy();
                found.missing.push(Problem {
                    file: summary_file.clone(),
                    line: summary
                        .lines()
                        .position(|line| line.contains(&*name))
                        .map(|n| n + 1),
                    message: format!("no page `{name}`"),
                });
                continue;
            }
            let shown = workspace.relative(&file);
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {shown}"))?;
            found.pages.push(Source {
                path,
                file: shown,
                text: text.replace("\r\n", "\n"),
            });
        }
        let mut forgotten = Vec::new();
        markdown_files(&folder, &mut forgotten)?;
        forgotten.retain(|file| UNNAMED.iter().all(|unnamed| *file != folder.join(unnamed)));
        forgotten.retain(|file| !found.pages.iter().any(|page| folder.join(&page.path) == *file));
        found.forgotten.extend(forgotten.iter().map(|file| Problem {
            file: workspace.relative(file),
            line: Some(1),
            message: format!("{summary_file} does not name this page"),
        }));
        found.missing.sort();
        found.forgotten.sort();
        Ok(found)
    }
}

/// The pages that a summary names, in its order.
fn named(summary: &str) -> Result<Vec<PathBuf>> {
    let summary = parse_summary(summary)?;
    let parts = [
        &summary.prefix_chapters,
        &summary.numbered_chapters,
        &summary.suffix_chapters,
    ];
    let mut items: Vec<&SummaryItem> = parts.into_iter().flatten().rev().collect();
    let mut pages = Vec::new();
    while let Some(item) = items.pop() {
        if let SummaryItem::Link(link) = item {
            pages.extend(link.location.clone());
            items.extend(link.nested_items.iter().rev());
        }
    }
    Ok(pages)
}

fn markdown_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let context = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            markdown_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_in_the_order_of_the_summary() {
        let summary = "# S\n\n[F](f.md)\n\n- [A](a.md)\n  - [B](b/b.md)\n- [Draft]()\n- [C](c.md)\n\n---\n\n[G](g.md)\n";
        let pages = named(summary).expect("well-formed");
        let pages: Vec<_> = pages
            .iter()
            .map(|page| page.to_string_lossy().replace('\\', "/"))
            .collect();
        assert_eq!(pages, ["f.md", "a.md", "b/b.md", "c.md", "g.md"]);
    }
}
