//! Listings: code and transcripts that the pages name and never copy.
//!
//! A page says which item it shows; this preprocessor cuts it out of the source that is compiled and
//! tested. What is no longer there stops the build, with the page's file and line. Each directive
//! stands alone on its line, outside of code blocks:
//!
//! - `{{item PACKAGE::path::to::Item}}`: one item (see [`crate::source`] for paths); `{{item ... docs}}`
//!   shows its doc comments too; `PACKAGE/TARGET::...` cuts from an example, a program or a test;
//! - `{{items PACKAGE::a PACKAGE::b}}`: several items in one block;
//! - `{{file PACKAGE path/in/package.rs}}`: a whole file;
//! - `{{transcript PACKAGE NAME}}`: `transcripts/NAME.txt` of the package, which its tests re-run.
//!
//! `\{{item ...}}` is shown as it stands, without the backslash.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

use crate::names;
use crate::problem::{Problem, Problems};
use crate::source::{Crate, Cut, Show};
use crate::workspace::{Package, Workspace};

/// The name in `book.toml`.
pub const NAME: &str = "listings";

/// The most lines that `{{item}}` and `{{items}}` may show: a longer listing is not read, and wants to
/// be cut into smaller items.
pub const LONGEST: usize = 60;

const DIRECTIVES: [&str; 4] = ["item", "items", "file", "transcript"];

/// The preprocessor.
#[derive(Debug)]
pub struct Listings;

impl Preprocessor for Listings {
    fn name(&self) -> &str {
        NAME
    }

    fn run(&self, context: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let workspace = Workspace::load(&context.root)?;
        let pages = context.root.join(&context.config.book.src);
        let sources = Sources::new(&workspace);
        let mut problems = Vec::new();
        book.for_each_chapter_mut(|chapter| {
            // A chapter without a file was made up by another preprocessor: it has no directives.
            let Some(path) = &chapter.source_path else {
                return;
            };
            let page = workspace.relative(&pages.join(path));
            chapter.content = expand(&chapter.content, &page, &sources, &mut problems);
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

/// The page with its directives replaced. What goes wrong is added to `problems`.
fn expand(page: &str, file: &str, sources: &Sources<'_>, problems: &mut Vec<Problem>) -> String {
    let mut expanded = String::with_capacity(page.len());
    let mut fence = Fence::default();
    for (index, line) in page.lines().enumerate() {
        let inside = fence.step(line);
        let shown = directive_in(line, inside).and_then(|found| match found {
            None => Ok(unescape(line)),
            Some(directive) => {
                let indent = &line[..line.len() - line.trim_start().len()];
                show(directive, sources).map(|listing| indented(&listing, indent))
            }
        });
        match shown {
            Ok(text) => {
                expanded.push_str(&text);
                expanded.push('\n');
            }
            Err(error) => problems.push(Problem {
                file: file.to_owned(),
                line: Some(index + 1),
                message: format!("{error:#}"),
            }),
        }
    }
    expanded
}

/// Knows whether a line stands inside a fenced code block.
#[derive(Default)]
struct Fence {
    open: Option<(char, usize)>,
}

impl Fence {
    /// Takes the next line; tells whether it is inside a block (or is one of its fences).
    fn step(&mut self, line: &str) -> bool {
        // A block may be part of a quotation or a list item.
        let line = line.trim_start_matches([' ', '\t', '>']);
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'));
        let length = mark.map_or(0, |mark| line.len() - line.trim_start_matches(mark).len());
        let rest = &line[length..];
        match (self.open, mark) {
            (Some((open, longest)), Some(mark)) => {
                if mark == open && length >= longest && rest.trim().is_empty() {
                    self.open = None;
                }
                true
            }
            (Some(_), None) => true,
            (None, Some(mark)) if length >= 3 && !(mark == '`' && rest.contains('`')) => {
                self.open = Some((mark, length));
                true
            }
            (None, _) => false,
        }
    }
}

/// A directive, taken apart.
#[derive(Debug, PartialEq, Eq)]
enum Directive<'a> {
    Items { paths: Vec<&'a str>, show: Show },
    File { package: &'a str, path: &'a str },
    Transcript { package: &'a str, name: &'a str },
}

/// The directive that a line is, if it is one.
fn directive_in(line: &str, inside_fence: bool) -> Result<Option<Directive<'_>>> {
    let alone = line.trim();
    let body = alone.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(body) = body.filter(|body| !body.contains("{{")) {
        let name = body.split_whitespace().next().unwrap_or_default();
        match (inside_fence, DIRECTIVES.contains(&name)) {
            (false, _) => return parse(body).map(Some),
            (true, true) => {
                bail!("`{{{{{name}}}}}` inside a code block; it makes its own, or write `\\{{{{`")
            }
            (true, false) => return Ok(None),
        }
    }
    for name in DIRECTIVES {
        for (start, _) in line.match_indices(&format!("{{{{{name} ")) {
            if !line[..start].ends_with('\\') {
                bail!("`{{{{{name}}}}}` must stand alone on its line; to show it, write `\\{{{{`");
            }
        }
    }
    Ok(None)
}

fn parse(body: &str) -> Result<Directive<'_>> {
    let words = words(body);
    let (name, arguments) = match words.split_first() {
        Some((name, arguments)) => (*name, arguments),
        None => bail!("an empty directive"),
    };
    match (name, arguments) {
        ("item", [path]) => Ok(Directive::Items {
            paths: vec![path],
            show: Show::Code,
        }),
        ("item", [path, "docs"]) => Ok(Directive::Items {
            paths: vec![path],
            show: Show::Docs,
        }),
        ("item", _) => {
            bail!("expected `{{{{item PACKAGE::path::to::Item}}}}`, perhaps with `docs`")
        }
        ("items", [paths @ .., "docs"]) if !paths.is_empty() => Ok(Directive::Items {
            paths: paths.to_vec(),
            show: Show::Docs,
        }),
        ("items", [_, ..]) => Ok(Directive::Items {
            paths: arguments.to_vec(),
            show: Show::Code,
        }),
        ("items", _) => bail!("expected `{{{{items PACKAGE::a PACKAGE::b ...}}}}`"),
        ("file", [package, path]) => Ok(Directive::File { package, path }),
        ("file", _) => bail!("expected `{{{{file PACKAGE path/in/package.rs}}}}`"),
        ("transcript", [package, name]) => Ok(Directive::Transcript { package, name }),
        ("transcript", _) => bail!("expected `{{{{transcript PACKAGE NAME}}}}`"),
        _ => {
            let hint = names::hint(name, DIRECTIVES);
            bail!("no directive `{{{{{name}}}}}`{hint}")
        }
    }
}

/// Splits at white space outside of angle brackets.
fn words(text: &str) -> Vec<&str> {
    split(text, |rest| {
        rest.starts_with(char::is_whitespace).then(|| char_length(rest))
    })
}

/// Splits a path at `::` outside of angle brackets.
fn segments(path: &str) -> Vec<&str> {
    split(path, |rest| rest.starts_with("::").then_some(2))
}

/// Splits where `separator` gives the length of one, outside of angle brackets; drops empty parts.
fn split(text: &str, separator: impl Fn(&str) -> Option<usize>) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut position = 0;
    while position < text.len() {
        let rest = &text[position..];
        let length = match separator(rest).filter(|_| depth == 0) {
            Some(length) => {
                parts.push(&text[start..position]);
                start = position + length;
                length
            }
            None => {
                if rest.starts_with('<') {
                    depth += 1;
                } else if rest.starts_with('>') && !text[..position].ends_with(['-', '=']) {
                    depth = depth.saturating_sub(1);
                }
                char_length(rest)
            }
        };
        position += length;
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

fn char_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// `\{{item` becomes `{{item`, wherever it stands.
fn unescape(line: &str) -> String {
    let mut line = line.to_owned();
    if line.contains("\\{{") {
        for name in DIRECTIVES {
            for end in [" ", "}"] {
                line = line.replace(&format!("\\{{{{{name}{end}"), &format!("{{{{{name}{end}"));
            }
        }
    }
    line
}

/// The Markdown that stands in for a directive.
fn show(directive: Directive<'_>, sources: &Sources<'_>) -> Result<String> {
    match directive {
        Directive::Items { paths, show } => {
            let cuts = paths
                .iter()
                .map(|path| sources.cut(path, show))
                .collect::<Result<Vec<_>>>()?;
            let texts: Vec<&str> = cuts.iter().map(|cut| cut.text.as_str()).collect();
            let text = texts.join("\n\n");
            let lines = text.lines().count();
            if lines > LONGEST {
                bail!("a listing of {lines} lines; {LONGEST} is the most: show smaller items");
            }
            let text = show_hidden_lines(&text);
            let caption = items_caption(&cuts, sources.workspace);
            Ok(listing("listing", Some(&caption), "rust,ignore", &text))
        }
        Directive::File { package, path } => {
            let package = sources.workspace.package(package)?;
            let file = inside(package, path)?;
            let text = read(&file, sources.workspace)?;
            let (language, text) = match Path::new(path).extension().and_then(|e| e.to_str()) {
                Some("rs") => ("rust,ignore", show_hidden_lines(&text)),
                Some("toml") => ("toml", text),
                Some("sh") => ("sh", text),
                Some("md") => ("markdown", text),
                _ => ("text", text),
            };
            let caption = code(&sources.workspace.relative(&file));
            Ok(listing("listing", Some(&caption), language, &text))
        }
        Directive::Transcript { package, name } => {
            let package = sources.workspace.package(package)?;
            let file = inside(package, &format!("transcripts/{name}.txt"))?;
            let text = read(&file, sources.workspace)?;
            if !text.starts_with("$ ") {
                let file = sources.workspace.relative(&file);
                bail!("{file}: a transcript begins with `$ ` and the command");
            }
            Ok(listing("transcript", None, "console", &text))
        }
    }
}

/// Reads crates when they are first asked for, and keeps them.
struct Sources<'a> {
    workspace: &'a Workspace,
    crates: RefCell<HashMap<PathBuf, Rc<Crate>>>,
}

impl<'a> Sources<'a> {
    fn new(workspace: &'a Workspace) -> Sources<'a> {
        Sources {
            workspace,
            crates: RefCell::default(),
        }
    }

    /// Cuts the item at `PACKAGE::path` or `PACKAGE/TARGET::path`.
    fn cut(&self, path: &str, show: Show) -> Result<Cut> {
        let segments = segments(path);
        let (origin, within) = match segments.split_first() {
            Some((origin, within)) if !within.is_empty() => (*origin, within),
            _ => bail!("`{path}` names no item: expected `PACKAGE::path::to::Item`"),
        };
        let (package, target) = match origin.split_once('/') {
            Some((package, target)) => (package, Some(target)),
            None => (origin, None),
        };
        let root = self.workspace.package(package)?.root_file(target)?;
        let krate = self.read(root)?;
        let cut = krate.cut(&within.join("::"), show);
        cut.map_err(|error| anyhow!("`{origin}`: {}", self.without_root(&error.to_string())))
    }

    fn read(&self, root: &Path) -> Result<Rc<Crate>> {
        if let Some(krate) = self.crates.borrow().get(root) {
            return Ok(Rc::clone(krate));
        }
        let krate =
            Crate::read(root).map_err(|error| anyhow!("{}", self.without_root(&format!("{error:#}"))))?;
        let krate = Rc::new(krate);
        self.crates
            .borrow_mut()
            .insert(root.to_owned(), Rc::clone(&krate));
        Ok(krate)
    }

    /// A message with the paths in it made relative to the workspace.
    fn without_root(&self, message: &str) -> String {
        let root = self.workspace.root().display();
        message
            .replace(&format!("{root}/"), "")
            .replace(&format!("{root}\\"), "")
    }
}

/// The file at `path` in the package's folder, and not outside of it.
fn inside(package: &Package, path: &str) -> Result<PathBuf> {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !Path::new(path).components().all(normal) {
        bail!("`{path}` is not a path inside the package");
    }
    Ok(package.dir().join(path))
}

fn read(file: &Path, workspace: &Workspace) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| {
        let near = file_names_beside(file);
        let near: Vec<&str> = near.iter().map(String::as_str).collect();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "cannot read {}{}",
            workspace.relative(file),
            names::hint(&name, near)
        )
    })?;
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
}

fn file_names_beside(file: &Path) -> Vec<String> {
    let folder = file.parent().and_then(|folder| fs::read_dir(folder).ok());
    let entries = folder.into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Each file once, with the items cut from it.
fn items_caption(cuts: &[Cut], workspace: &Workspace) -> String {
    let mut files: Vec<(&Path, Vec<String>)> = Vec::new();
    for cut in cuts {
        let label = code(&cut.label);
        match files.iter_mut().find(|(file, _)| *file == cut.file) {
            Some((_, labels)) => labels.push(label),
            None => files.push((&cut.file, vec![label])),
        }
    }
    let captions: Vec<String> = files
        .iter()
        .map(|(file, labels)| format!("{}: {}", code(&workspace.relative(file)), labels.join(", ")))
        .collect();
    captions.join("; ")
}

/// A figure that holds a fenced block.
fn listing(class: &str, caption: Option<&str>, language: &str, text: &str) -> String {
    let text = text.trim_end();
    let fence = "`".repeat(longest_run(text, '`').max(2) + 1);
    let caption = caption.map(|caption| format!("<figcaption>{caption}</figcaption>\n"));
    let caption = caption.unwrap_or_default();
    // A blank line ends HTML: what follows it is Markdown again.
    format!("<figure class=\"{class}\">\n{caption}\n{fence}{language}\n{text}\n{fence}\n\n</figure>\n")
}

fn code(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<code>{text}</code>")
}

/// mdBook hides lines of Rust that begin with `# `, as rustdoc does; a second `#` shows them.
fn show_hidden_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let content = line.trim_start();
            let hidden = content == "#" || content.starts_with("# ") || content.starts_with("##");
            match hidden {
                true => format!("{}#{content}", &line[..line.len() - content.len()]),
                false => line.to_owned(),
            }
        })
        .collect();
    lines.join("\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for letter in text.chars() {
        run = if letter == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Each line moved right, so that a listing stays in its list item.
fn indented(text: &str, indent: &str) -> String {
    let lines = text.lines();
    let line = |line: &str| {
        if line.is_empty() {
            String::new()
        } else {
            format!("{indent}{line}")
        }
    };
    lines.map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a package `demo`, and the workspace it makes.
    fn demo() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let long: String = (0..LONGEST).map(|n| format!("    let _ = {n};\n")).collect();
        let lib = format!(
            "/// Adds.\npub fn add(a: u32, b: u32) -> u32 {{\n    a + b\n}}\n\n\
             /// A point.\npub struct Point;\nimpl Clone for Point {{\n    \
             fn clone(&self) -> Point {{\n        Point\n    }}\n}}\n\
             pub const TEXT: &str = \"\n# title\n```\n\";\nfn long() {{\n{long}}}\n"
        );
        for (name, text) in [
            (
                "Cargo.toml",
                "[workspace]\n[package]\nname = \"demo\"\nedition = \"2024\"\n",
            ),
            ("src/lib.rs", lib.as_str()),
            ("examples/tour.rs", "fn main() {}\n"),
            ("transcripts/run.txt", "$ cargo run\nhello\n"),
            ("transcripts/bare.txt", "hello\n"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            fs::write(path, text).expect("written");
        }
        let workspace = Workspace::load(dir.path()).expect("cargo knows it");
        (dir, workspace)
    }

    fn expanded(page: &str) -> Result<String, Vec<String>> {
        let (_dir, workspace) = demo();
        let mut problems = Vec::new();
        let text = expand(page, "book/pages/p.md", &Sources::new(&workspace), &mut problems);
        match problems.is_empty() {
            true => Ok(text),
            false => Err(problems.iter().map(Problem::to_string).collect()),
        }
    }

    #[test]
    fn directives_are_taken_apart() {
        let items = |paths: &[&'static str], show| Directive::Items {
            paths: paths.to_vec(),
            show,
        };
        for (line, expected) in [
            ("{{item a::b}}", items(&["a::b"], Show::Code)),
            ("  {{ item a::b docs }}  ", items(&["a::b"], Show::Docs)),
            ("{{items a::b a/c::d}}", items(&["a::b", "a/c::d"], Show::Code)),
            ("{{items a::b c::d docs}}", items(&["a::b", "c::d"], Show::Docs)),
            (
                "{{items a::<impl Fn() -> X for Y<Z>>::call b::c}}",
                items(&["a::<impl Fn() -> X for Y<Z>>::call", "b::c"], Show::Code),
            ),
            (
                "{{file a src/b.rs}}",
                Directive::File {
                    package: "a",
                    path: "src/b.rs",
                },
            ),
            (
                "{{transcript a run}}",
                Directive::Transcript {
                    package: "a",
                    name: "run",
                },
            ),
        ] {
            let found = directive_in(line, false)
                .expect("well-formed")
                .expect("a directive");
            assert_eq!(found, expected, "{line}");
        }
        for line in ["", "text", "`{{x}}`", "{{", "}}", "{{a}} and {{b}}"] {
            assert_eq!(directive_in(line, false).expect("no directive"), None, "{line}");
        }
    }

    #[test]
    fn paths_are_split_outside_of_angle_brackets() {
        assert_eq!(
            segments("a/t::b::<impl x::T<u::V> for W>::m"),
            ["a/t", "b", "<impl x::T<u::V> for W>", "m"]
        );
    }

    #[test]
    fn an_item_becomes_a_figure() {
        let expected = "before\n\n<figure class=\"listing\">\n\
            <figcaption><code>src/lib.rs</code>: <code>add</code></figcaption>\n\n\
            ```rust,ignore\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n```\n\n\
            </figure>\n\n\nafter\n";
        assert_eq!(
            expanded("before\n\n{{item demo::add}}\n\nafter\n").as_deref(),
            Ok(expected)
        );
    }

    #[test]
    fn items_share_a_block_and_a_caption() {
        let text = expanded("{{items demo::<impl Clone for Point>::clone demo/tour::main}}");
        let text = text.expect("found");
        let caption = "<figcaption><code>src/lib.rs</code>: \
            <code>&lt;impl Clone for Point&gt;::clone</code>; \
            <code>examples/tour.rs</code>: <code>main</code></figcaption>\n";
        assert!(text.contains(caption), "{text}");
        assert!(text.contains("{\n    Point\n}\n\nfn main() {}\n```\n"), "{text}");
    }

    #[test]
    fn text_that_would_end_the_block_or_vanish_in_it_is_shown() {
        let text = expanded("{{item demo::TEXT}}").expect("found");
        assert!(text.contains("````rust,ignore\npub const TEXT: &str = \"\n## title\n```\n\";\n````\n"));
    }

    #[test]
    fn a_listing_stays_in_its_list_item() {
        let text = expanded("1. First:\n\n   {{transcript demo run}}\n").expect("found");
        assert_eq!(
            text,
            "1. First:\n\n   <figure class=\"transcript\">\n\n   ```console\n   $ cargo run\n   hello\n   \
             ```\n\n   </figure>\n\n"
        );
    }

    #[test]
    fn a_file_is_shown_whole() {
        let text = expanded("{{file demo examples/tour.rs}}").expect("found");
        let caption = "<figcaption><code>examples/tour.rs</code></figcaption>";
        assert!(
            text.contains(caption) && text.contains("```rust,ignore\nfn main() {}\n```"),
            "{text}"
        );
    }

    #[test]
    fn what_is_escaped_is_shown() {
        for (page, expected) in [
            ("\\{{item a::b}}", "{{item a::b}}\n"),
            ("Write `\\{{item a::b}}` here.", "Write `{{item a::b}}` here.\n"),
            (
                "```\n\\{{file a b}}\n{{x}}\n```",
                "```\n{{file a b}}\n{{x}}\n```\n",
            ),
            (
                "~~~~rust\n```\n\\{{items a::b}}\n~~~~",
                "~~~~rust\n```\n{{items a::b}}\n~~~~\n",
            ),
            ("`format!(\"{{item}}\")`", "`format!(\"{{item}}\")`\n"),
        ] {
            assert_eq!(expanded(page).as_deref(), Ok(expected), "{page}");
        }
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        for (directive, message) in [
            ("{{item demo::ad}}", "`demo`: no item `ad`; did you mean `add`?"),
            (
                "{{item demi::add}}",
                "no package `demi` in the workspace; did you mean `demo`?",
            ),
            (
                "{{item demo/tuor::main}}",
                "package `demo` has no target `tuor`; did you mean `tour`?",
            ),
            (
                "{{item demo}}",
                "`demo` names no item: expected `PACKAGE::path::to::Item`",
            ),
            (
                "{{item demo::long}}",
                "a listing of 62 lines; 60 is the most: show smaller items",
            ),
            (
                "{{item demo::add x}}",
                "expected `{{item PACKAGE::path::to::Item}}`, perhaps with `docs`",
            ),
            ("{{items}}", "expected `{{items PACKAGE::a PACKAGE::b ...}}`"),
            (
                "{{itme demo::add}}",
                "no directive `{{itme}}`; did you mean `item`?",
            ),
            ("{{#include x.rs}}", "no directive `{{#include}}`"),
            ("{{}}", "an empty directive"),
            (
                "{{file demo ../x.rs}}",
                "`../x.rs` is not a path inside the package",
            ),
            (
                "{{file demo /etc/passwd}}",
                "`/etc/passwd` is not a path inside the package",
            ),
            (
                "{{transcript demo bare}}",
                "transcripts/bare.txt: a transcript begins with `$ ` and the command",
            ),
            (
                "See {{item demo::add}}.",
                "`{{item}}` must stand alone on its line; to show it, write `\\{{`",
            ),
        ] {
            let page = format!("# Title\n\n{directive}\n");
            let expected = format!("book/pages/p.md:3: {message}");
            assert_eq!(expanded(&page), Err(vec![expected]), "{directive}");
        }
        let inside = "```\n{{item demo::add}}\n```\n{{item demo::x}}\n";
        assert_eq!(
            expanded(inside),
            Err(vec![
                "book/pages/p.md:2: `{{item}}` inside a code block; it makes its own, or write `\\{{`"
                    .to_owned(),
                "book/pages/p.md:4: `demo`: no item `x`".to_owned(),
            ])
        );
        let missing = expanded("{{transcript demo rum}}").expect_err("no such file");
        let start = "book/pages/p.md:1: cannot read transcripts/rum.txt; did you mean `run.txt`?: ";
        assert!(missing[0].starts_with(start), "{missing:?}");
    }
}
