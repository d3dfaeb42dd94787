//! Builds small books with the program, the way a reader and mdBook do.

mod common;

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use common::{Fixture, SUMMARY};

fn build(fixture: &Fixture) -> Output {
    fixture.book(&["build"]).output().expect("the program runs")
}

/// The lines a build complains with.
fn complaints(fixture: &Fixture) -> Vec<String> {
    let output = build(fixture);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    text(&output.stderr).lines().map(str::to_owned).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_book_is_built_with_its_listings() {
    let fixture = Fixture::new();
    let output = build(&fixture);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(text(&output.stdout).starts_with("The book is in "), "{output:?}");

    let page = fixture.read("target/book/one.html");
    assert!(page.contains("<figure class=\"listing\">"), "{page}");
    assert!(page.contains("<figcaption><code>demo/src/lib.rs</code>: <code>add</code></figcaption>"));
    let code =
        "<pre><code class=\"language-rust ignore\">pub fn add(a: u32, b: u32) -&gt; u32 {\n    a + b\n}";
    assert!(page.contains(code), "{page}");
    assert!(
        page.contains("<code class=\"language-console\">$ cargo run -p demo\n1 &lt; 2"),
        "{page}"
    );
    assert!(page.contains("As <code>{{item a::b}}</code> does."), "{page}");
    assert!(!page.contains("Adds."), "{page}");
    // Nothing is left over beside it.
    let entries = fs::read_dir(fixture.0.path().join("target"))
        .expect("readable")
        .count();
    assert_eq!(entries, 1);
}

#[test]
fn mdbooks_own_script_is_in_the_book() {
    // A file `book.js` in the theme's folder would take its place, and with it the menus and the keys.
    let fixture = Fixture::new();
    assert!(build(&fixture).status.success());
    let files = fs::read_dir(fixture.0.path().join("target/book")).expect("readable");
    let scripts = files.flatten().map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("book-") && name.ends_with(".js")
    });
    let texts: Vec<String> = scripts
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("mdbook-theme"), "{}", texts[0]);
}

#[test]
fn what_is_missing_stops_the_build_with_file_and_line() {
    let fixture = Fixture::new();
    fixture.write(
        "book/pages/one.md",
        "# One\n\n## The sum\n\n{{item demo::ad}}\n{{file demo x.rs}}\n",
    );
    fixture.write("book/pages/part/deep.md", "# Deep\n{{transcript demo walk}}\n");
    let told = complaints(&fixture);
    assert_eq!(
        told[0],
        "book/pages/one.md:5: `demo`: no item `ad`; did you mean `add`?"
    );
    assert!(
        told[1].starts_with("book/pages/one.md:6: cannot read demo/x.rs: "),
        "{told:?}"
    );
    let third = "book/pages/part/deep.md:2: cannot read demo/transcripts/walk.txt: ";
    assert!(told[2].starts_with(third), "{told:?}");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(!fixture.0.path().join("target").exists());
}

#[test]
fn a_missing_page_is_told_with_its_line() {
    let fixture = Fixture::new();
    fixture.write("book/pages/SUMMARY.md", &format!("{SUMMARY}- [Two](two.md)\n"));
    assert_eq!(
        complaints(&fixture),
        ["book/pages/SUMMARY.md:7: no page `two.md`"]
    );
}

#[test]
fn a_broken_link_stops_the_build_and_leaves_the_last_book() {
    let fixture = Fixture::new();
    assert!(build(&fixture).status.success());
    fixture.write(
        "book/pages/front.md",
        "# Front\n\n[x](one.md#the-sun)\n[y](on.md)\n<img src=\"https://example.org/x.png\">\n",
    );
    assert_eq!(
        complaints(&fixture),
        [
            "book/pages/front.md:3: the link `one.html#the-sun`: no `#the-sun` in one.html; \
             did you mean `the-sum`?",
            "book/pages/front.md:4: the link `on.html`: no file on.html; did you mean `one.html`?",
            "book/pages/front.md:5: the link `https://example.org/x.png`: \
             the page loads this from elsewhere",
        ]
    );
    assert!(
        fixture
            .read("target/book/front.html")
            .contains("one.html#the-sum")
    );
}

#[test]
fn what_mdbook_warns_of_stops_the_build() {
    let fixture = Fixture::new();
    fixture.write("book/pages/front.md", "# Front\n\n<div>\n\nopen\n");
    let told = complaints(&fixture);
    let start = "book/pages/front.md:1: unclosed HTML tag `<div>` found in `front.md`";
    assert!(told[0].starts_with(start), "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn the_preprocessor_speaks_mdbooks_protocol() {
    let fixture = Fixture::new();
    let root = fixture.0.path().join("book");
    let chapter = serde_json::json!({
        "Chapter": {
            "name": "One", "content": "{{item demo::add}}", "number": null, "sub_items": [],
            "path": "one.md", "source_path": "one.md", "parent_names": [],
        }
    });
    let input = serde_json::json!([
        {
            "root": root,
            "config": {"book": {"src": "pages"}},
            "renderer": "html",
            "mdbook_version": "0.5.4",
        },
        {"items": [chapter]},
    ]);
    let run = |input: &str| {
        let mut child = fixture
            .book(&["preprocess"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        // A program that refuses its input may be gone before it has read all of it.
        let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    };
    let output = run(&input.to_string());
    assert!(output.status.success(), "{output:?}");
    let book: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let content = book["items"][0]["Chapter"]["content"].as_str().expect("text");
    assert!(
        content.contains("pub fn add(a: u32, b: u32) -> u32 {"),
        "{content}"
    );

    let output = run(&input.to_string().replace("demo::add", "demo::sub"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(
        text(&output.stderr),
        "book/pages/one.md:1: `demo`: no item `sub`\n"
    );

    let output = run("no JSON");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        fixture
            .book(&["preprocess", "supports", "html"])
            .status()
            .expect("runs")
            .success()
    );
}

#[test]
fn bad_arguments_end_with_two_and_one_line() {
    let fixture = Fixture::new();
    for arguments in [
        &["--fast"][..],
        &["bild"],
        &["build", "x"],
        &["--port"],
        &["--port", "x"],
    ] {
        let output = fixture.book(arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
    }
    for arguments in [&["--help"][..], &["build", "--help"], &["preprocess", "-h"]] {
        let output = fixture.book(arguments).output().expect("the program runs");
        assert!(
            output.status.success() && text(&output.stdout).contains("Usage: "),
            "{output:?}"
        );
    }
}

#[test]
fn who_has_read_enough_may_go() {
    let fixture = Fixture::new();
    for arguments in [&["--help"][..], &["build"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = fixture.book(arguments).stdout(writer).output();
        let output = output.expect("the program runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}
