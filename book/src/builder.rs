//! Building the book: mdBook as a library, with our listings in process, and checks of what came out.
//!
//! The book is built in a folder beside its place and moved there only when it is whole and every check
//! has passed. A build that fails leaves the previous book as it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use mdbook_driver::config::Config;

use crate::links::{self, Broken};
use crate::listings::Listings;
use crate::pages::Pages;
use crate::problem::{Problem, Problems};
use crate::warnings;
use crate::workspace::Workspace;

/// Builds the book in the folder `book`, where `book.toml` is, and returns the folder of the result.
pub fn build(book: &Path) -> Result<PathBuf> {
    build_in(book, &Rc::new(Workspace::load(book)?))
}

/// The same, in a workspace that is known already: to ask cargo takes longer than anything else here.
pub fn build_in(book: &Path, workspace: &Rc<Workspace>) -> Result<PathBuf> {
    let config = Config::from_disk(book.join("book.toml"))?;
    let pages = book.join(&config.book.src);
    let (found, warnings) = warnings::collect(|| Pages::read(book, workspace));
    Problems(found?.missing).check()?;
    Problems(from_mdbook(&pages, workspace, warnings)).check()?;

    let mut mdbook = MDBook::load_with_config(book, config)?;
    let destination = simplified(&mdbook.build_dir_for("html"));
    let scratch = Scratch::beside(&destination)?;
    mdbook.config.build.build_dir.clone_from(&scratch.0);
    // In the place of the command that book.toml gives this name to.
    mdbook.with_preprocessor(Listings {
        workspace: Some(Rc::clone(workspace)),
    });

    let (built, warnings) = warnings::collect(|| mdbook.build());
    built?;
    Problems(from_mdbook(&pages, workspace, warnings)).check()?;
    Problems(check(&mdbook, workspace, &scratch.0)?).check()?;
    scratch.replace(&destination)?;
    Ok(destination)
}

/// What is wrong with a built book.
fn check(mdbook: &MDBook, workspace: &Workspace, site: &Path) -> Result<Vec<Problem>> {
    let origins = Origins::of(mdbook, workspace);
    Ok(origins.locate(links::check(site)?))
}

/// mdBook's own warnings. They name their page, if any, in their text.
fn from_mdbook(pages: &Path, workspace: &Workspace, warnings: Vec<String>) -> Vec<Problem> {
    let problem = |warning: String| {
        let page = warning
            .split('`')
            .find(|name| name.ends_with(".md") && pages.join(name).is_file());
        let file = page.map_or_else(|| pages.to_owned(), |page| pages.join(page));
        Problem {
            file: workspace.relative(&file),
            line: page.map(|_| 1),
            message: warning.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    };
    warnings.into_iter().map(problem).collect()
}

/// Which source each built page comes from.
struct Origins<'a> {
    mdbook: &'a MDBook,
    workspace: &'a Workspace,
    sources: BTreeMap<String, PathBuf>,
}

impl<'a> Origins<'a> {
    fn of(mdbook: &'a MDBook, workspace: &'a Workspace) -> Origins<'a> {
        let mut sources = BTreeMap::new();
        for chapter in mdbook.book.chapters() {
            if let (Some(path), Some(source)) = (&chapter.path, &chapter.source_path) {
                let page = path.with_extension("html").to_string_lossy().replace('\\', "/");
                sources.insert(page, mdbook.source_dir().join(source));
            }
        }
        Origins {
            mdbook,
            workspace,
            sources,
        }
    }

    /// Turns links of built pages into places in the sources.
    ///
    /// What mdBook adds (the print version, the front page) repeats the pages, so their links count
    /// only where no page is to blame.
    fn locate(&self, broken: Vec<Broken>) -> Vec<Problem> {
        let (of_pages, of_others): (Vec<Broken>, Vec<Broken>) = broken
            .into_iter()
            .partition(|broken| self.sources.contains_key(&broken.page));
        let broken = if of_pages.is_empty() { of_others } else { of_pages };
        let problem = |broken: &Broken| {
            let message = format!("the link `{}`: {}", broken.link, broken.message);
            match self.sources.get(&broken.page) {
                Some(source) => Problem {
                    file: self.workspace.relative(source),
                    line: fs::read_to_string(source)
                        .ok()
                        .and_then(|text| line_of_link(&text, &broken.link)),
                    message,
                },
                None => {
                    let built = self.mdbook.config.build.build_dir.join(&broken.page);
                    Problem {
                        file: self.workspace.relative(&built),
                        line: None,
                        message,
                    }
                }
            }
        };
        broken.iter().map(problem).collect()
    }
}

/// The first line of a page's source that holds a link, which may be written with `.md` there.
fn line_of_link(text: &str, link: &str) -> Option<usize> {
    let written = link.replacen(".html", ".md", 1);
    let index = text
        .lines()
        .position(|line| line.contains(&written) || line.contains(link))?;
    Some(index + 1)
}

/// The path without its `..`, for showing.
fn simplified(path: &Path) -> PathBuf {
    let mut simple = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir if simple.file_name().is_some() => {
                simple.pop();
            }
            part => simple.push(part),
        }
    }
    simple
}

/// A folder to build in; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(destination: &Path) -> Result<Scratch> {
        let Some(name) = destination.file_name() else {
            bail!("{} is no folder to build in", destination.display());
        };
        // Two builds at a time must not mix.
        let name = format!("{}.new.{}", name.to_string_lossy(), std::process::id());
        Ok(Scratch(destination.with_file_name(name)))
    }

    fn replace(self, destination: &Path) -> Result<()> {
        let context = || format!("cannot put the book in {}", destination.display());
        // Another build may put its own there between the two steps; then ours must try again.
        let mut attempts = 3;
        loop {
            match fs::remove_dir_all(destination) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(context);
                }
                _ => {}
            }
            attempts -= 1;
            match fs::rename(&self.0, destination) {
                Err(_) if attempts > 0 => {}
                result => return result.with_context(context),
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // After a success it has moved away; after a failure there is nothing more to be done.
        let _ = fs::remove_dir_all(&self.0);
    }
}
