//! Follows every link in the built book: its file must exist, its `#fragment` must be an id in it, and
//! no page may load anything from elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use std::cell::RefCell;

use crate::names;
use crate::percent;

/// A link that leads nowhere, or loads what it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The page it is on, as a path within the site.
    pub page: String,
    /// The link as it is written in the page.
    pub link: String,
    /// What is wrong with it.
    pub message: String,
}

/// Checks the site in the folder `site`. Pages come in order of their names.
pub fn check(site: &Path) -> Result<Vec<Broken>> {
    let mut files = BTreeSet::new();
    collect_files(site, site, &mut files)?;
    let mut pages = BTreeMap::new();
    for file in files.iter().filter(|file| file.ends_with(".html")) {
        let html = fs::read_to_string(site.join(file))
            .with_context(|| format!("cannot read {}", site.join(file).display()))?;
        pages.insert(file.clone(), Page::read(&html));
    }
    let site = Site { files, pages };
    let mut broken = Vec::new();
    for (name, page) in &site.pages {
        for link in &page.links {
            if let Err(message) = site.follow(name, page, link) {
                let (page, link) = (name.clone(), link.target.clone());
                broken.push(Broken { page, link, message });
            }
        }
    }
    Ok(broken)
}

/// The names of the files in a folder, from `root`, with forward slashes.
fn collect_files(root: &Path, folder: &Path, files: &mut BTreeSet<String>) -> Result<()> {
    let context = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let path: PathBuf = entry.with_context(context)?.path();
        if path.is_dir() {
            collect_files(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path);
            files.insert(name.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

struct Site {
    files: BTreeSet<String>,
    pages: BTreeMap<String, Page>,
}

impl Site {
    fn follow(&self, name: &str, page: &Page, link: &Link) -> Result<(), String> {
        let target = link.target.as_str();
        if is_remote(target) {
            return match link.loads {
                true => Err("the page loads this from elsewhere".to_owned()),
                false => Ok(()),
            };
        }
        let (path, fragment) = match target.split_once('#') {
            Some((path, fragment)) => (path, Some(fragment)),
            None => (target, None),
        };
        let path = path.split('?').next().unwrap_or_default();
        let file = match path {
            "" => name.to_owned(),
            path => {
                let base = page.base.as_deref().unwrap_or(name);
                self.resolve(base, path)?
            }
        };
        let Some(fragment) = fragment.filter(|fragment| !matches!(*fragment, "" | "top")) else {
            return Ok(());
        };
        let fragment = percent::decode(fragment).ok_or("the fragment is not well-formed")?;
        match self.pages.get(&file) {
            Some(page) if !page.ids.contains(&fragment) => {
                let mut ids: Vec<&str> = page.ids.iter().map(String::as_str).collect();
                ids.sort_unstable();
                Err(format!(
                    "no `#{fragment}` in {file}{}",
                    names::hint(&fragment, ids)
                ))
            }
            // A picture or another file: what a fragment means there is its own business.
            _ => Ok(()),
        }
    }

    /// The file that `path`, on the page `base`, leads to.
    fn resolve(&self, base: &str, path: &str) -> Result<String, String> {
        let path = percent::decode(path).ok_or("the path is not well-formed")?;
        let mut parts: Vec<&str> = match path.starts_with('/') {
            true => Vec::new(),
            false => base.split('/').collect(),
        };
        // The page's own name is not part of what a relative path starts from.
        parts.pop();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or("the path leaves the book")?;
                }
                part => parts.push(part),
            }
        }
        let mut file = parts.join("/");
        if file.is_empty() || path.ends_with('/') {
            file = format!("{file}/index.html").trim_start_matches('/').to_owned();
        }
        match self.files.contains(&file) {
            true => Ok(file),
            false => {
                // No one means to link to what mdBook makes for itself.
                let made = |file: &&str| ["toc.html", "print.html"].contains(file);
                let files = self.files.iter().map(String::as_str).filter(|file| !made(file));
                Err(format!("no file {file}{}", names::hint(&file, files)))
            }
        }
    }
}

fn is_remote(target: &str) -> bool {
    let scheme = target.split(['/', '?', '#']).next().unwrap_or_default();
    let remote = target.starts_with("//") || scheme.contains(':');
    // Data is in the page itself.
    remote && !target.starts_with("data:")
}

/// What a page offers to links, and where its own links lead.
#[derive(Debug, Default)]
struct Page {
    ids: HashSet<String>,
    links: Vec<Link>,
    /// Where relative paths start, if not from the page.
    base: Option<String>,
}

#[derive(Debug)]
struct Link {
    target: String,
    /// The browser fetches the target together with the page.
    loads: bool,
}

impl Page {
    fn read(html: &str) -> Page {
        let reader = Reader::default();
        let tokenizer = Tokenizer::new(reader, TokenizerOpts::default());
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(html));
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }

    fn tag(&mut self, tag: &Tag) {
        let tag_name = &*tag.name;
        for attribute in &tag.attrs {
            let value = attribute.value.trim();
            match &*attribute.name.local {
                "id" => {
                    self.ids.insert(value.to_owned());
                }
                "name" if tag_name == "a" => {
                    self.ids.insert(value.to_owned());
                }
                "href" if tag_name == "base" => {
                    self.base = Some(value.trim_start_matches('/').to_owned());
                }
                "href" | "xlink:href" | "src" | "poster" => {
                    self.link(value, !matches!(tag_name, "a" | "area"));
                }
                "data" if tag_name == "object" => self.link(value, true),
                _ => {}
            }
        }
    }

    fn link(&mut self, target: &str, loads: bool) {
        if !target.starts_with("data:") {
            self.links.push(Link {
                target: target.to_owned(),
                loads,
            });
        }
    }
}

#[derive(Default)]
struct Reader(RefCell<Page>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        if tag.kind == TagKind::EndTag {
            return TokenSinkResult::Continue;
        }
        self.0.borrow_mut().tag(&tag);
        // What is in these is not markup.
        match &*tag.name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" => TokenSinkResult::RawData(RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a site of these files, as `page: link: message`.
    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            fs::write(path, text).expect("written");
        }
        let broken = check(dir.path()).expect("readable");
        let line = |b: &Broken| format!("{}: {}: {}", b.page, b.link, b.message);
        broken.iter().map(line).collect()
    }

    /// The problems of one link on the page `part/one.html`.
    fn problem(html: &str) -> Vec<String> {
        problems(&[
            ("index.html", "<h1 id=home>Home</h1>"),
            (
                "part/one.html",
                &format!("<h2 id='a b'>One</h2><a name=old></a>{html}"),
            ),
            ("part/two.html", "<p id=second>"),
            ("part/index.html", ""),
            ("pictures/a%20b.svg", "<svg/>"),
            ("pictures/ä.svg", "<svg/>"),
        ])
    }

    #[test]
    fn links_that_lead_somewhere() {
        for html in [
            "<a href='#a%20b'>",
            "<a href='#a b'>",
            "<a href='#old'>",
            "<a href='#'>",
            "<a href='#top'>",
            "<a href=''>",
            "<a href='two.html#second'>",
            "<a href='./two.html'>",
            "<a href='../index.html#home'>",
            "<a href='../'>",
            "<a href='./'>",
            "<a href='/part/two.html?x=1#second'>",
            "<a href='/'>",
            "<img src='../pictures/a%2520b.svg#view'>",
            "<img src='../pictures/%C3%A4.svg'>",
            "<a href='https://example.org/x#y'>",
            "<a href='mailto:me@example.org'>",
            "<img src='data:image/png;base64,AAAA'>",
            "<script>\"<a href='nowhere.html'>\"</script><style><a href='nowhere'></style>",
            "<!-- <a href='nowhere.html'> -->",
        ] {
            assert_eq!(problem(html), [""; 0], "{html}");
        }
    }

    #[test]
    fn links_that_lead_nowhere() {
        for (html, expected) in [
            (
                "<a href='tow.html'>",
                "no file part/tow.html; did you mean `part/two.html`?",
            ),
            ("<a href='../../x.html'>", "the path leaves the book"),
            (
                "<a href='two.html#secnd'>",
                "no `#secnd` in part/two.html; did you mean `second`?",
            ),
            ("<a href='#home'>", "no `#home` in part/one.html"),
            ("<a href='../elsewhere/'>", "no file elsewhere/index.html"),
            ("<a href='%zz'>", "the path is not well-formed"),
            ("<img src='three.png'>", "no file part/three.png"),
            (
                "<script src='https://example.org/x.js'></script>",
                "the page loads this from elsewhere",
            ),
            (
                "<link href='//example.org/x.css'>",
                "the page loads this from elsewhere",
            ),
            (
                "<svg><image xlink:href='http://example.org/x.png'/></svg>",
                "the page loads this from elsewhere",
            ),
        ] {
            let found = problem(html);
            assert_eq!(found.len(), 1, "{html}: {found:?}");
            assert!(found[0].starts_with("part/one.html: "), "{html}: {found:?}");
            assert!(found[0].ends_with(expected), "{html}: {found:?}");
        }
    }

    #[test]
    fn a_base_moves_relative_links() {
        let files = [("404.html", "<base href='/'><a href='a.html'>"), ("a.html", "")];
        assert_eq!(problems(&files), [""; 0]);
        let files = [("x/404.html", "<base href='/'><a href='a.html'>"), ("a.html", "")];
        assert_eq!(problems(&files), [""; 0]);
    }
}
