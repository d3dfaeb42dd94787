//! Builds small books with the program, the way a reader and mdBook do.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A workspace with a package `demo` and a book, in a folder of its own.
struct Fixture(tempfile::TempDir);

const SUMMARY: &str =
    "# Summary\n\n[Front](front.md)\n\n- [One](one.md)\n  - [Deep](part/deep.md)\n";

impl Fixture {
    fn new() -> Fixture {
        let fixture = Fixture(tempfile::tempdir().expect("a temporary folder"));
        // The book's own configuration, whose keys and style are thus tried too.
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |name: &str| fs::read_to_string(here.join(name)).expect(name);
        for name in ["book.toml", "theme/book.css", "theme/favicon.svg"] {
            fixture.write(&format!("book/{name}"), &read(name));
        }
        fixture.write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"demo\"]\nresolver = \"3\"\n",
        );
        fixture.write(
            "demo/Cargo.toml",
            "[package]\nname = \"demo\"\nedition = \"2024\"\n",
        );
        fixture.write(
            "demo/src/lib.rs",
            "/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n",
        );
        fixture.write("demo/transcripts/run.txt", "$ cargo run -p demo\n1 < 2\n");
        fixture.write("book/pages/SUMMARY.md", SUMMARY);
        fixture.write(
            "book/pages/front.md",
            "# Front\n\n[first](one.md#the-sum), [deep](part/deep.md)\n",
        );
        fixture.write(
            "book/pages/one.md",
            "# One\n\n## The sum\n\n{{item demo::add}}\n\nIt prints:\n\n{{transcript demo run}}\n\n\
             As `\\{{item a::b}}` does.\n",
        );
        fixture.write(
            "book/pages/part/deep.md",
            "# Deep\n\nBack to the [sum](../one.md#the-sum).\n",
        );
        fixture
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect(name)
    }

    fn book(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_book"));
        // From anywhere: cargo tells the program where its package is.
        command
            .args(arguments)
            .current_dir("/")
            .env("CARGO_MANIFEST_DIR", self.0.path().join("book"));
        command
    }

    fn build(&self) -> Output {
        self.book(&["build"]).output().expect("the program runs")
    }

    /// The lines a build complains with.
    fn complaints(&self) -> Vec<String> {
        let output = self.build();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        text(&output.stderr).lines().map(str::to_owned).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_book_is_built_with_its_listings() {
    let fixture = Fixture::new();
    let output = fixture.build();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(
        text(&output.stdout).starts_with("The book is in "),
        "{output:?}"
    );

    let page = fixture.read("target/book/one.html");
    assert!(page.contains("<figure class=\"listing\">"), "{page}");
    assert!(
        page.contains("<figcaption><code>demo/src/lib.rs</code>: <code>add</code></figcaption>")
    );
    let code = "<pre><code class=\"language-rust ignore\">pub fn add(a: u32, b: u32) -&gt; u32 {\n    a + b\n}";
    assert!(page.contains(code), "{page}");
    assert!(
        page.contains("<code class=\"language-console\">$ cargo run -p demo\n1 &lt; 2"),
        "{page}"
    );
    assert!(
        page.contains("As <code>{{item a::b}}</code> does."),
        "{page}"
    );
    assert!(!page.contains("Adds."), "{page}");
    // Nothing is left over beside it.
    let entries = fs::read_dir(fixture.0.path().join("target"))
        .expect("readable")
        .count();
    assert_eq!(entries, 1);
}

#[test]
fn what_is_missing_stops_the_build_with_file_and_line() {
    let fixture = Fixture::new();
    fixture.write(
        "book/pages/one.md",
        "# One\n\n## The sum\n\n{{item demo::ad}}\n{{file demo x.rs}}\n",
    );
    fixture.write(
        "book/pages/part/deep.md",
        "# Deep\n{{transcript demo walk}}\n",
    );
    let complaints = fixture.complaints();
    assert_eq!(
        complaints[0],
        "book/pages/one.md:5: `demo`: no item `ad`; did you mean `add`?"
    );
    assert!(
        complaints[1].starts_with("book/pages/one.md:6: cannot read demo/x.rs: "),
        "{complaints:?}"
    );
    let third = "book/pages/part/deep.md:2: cannot read demo/transcripts/walk.txt: ";
    assert!(complaints[2].starts_with(third), "{complaints:?}");
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    assert!(!fixture.0.path().join("target").exists());
}

#[test]
fn a_missing_page_is_told_with_its_line() {
    let fixture = Fixture::new();
    fixture.write(
        "book/pages/SUMMARY.md",
        &format!("{SUMMARY}- [Two](two.md)\n"),
    );
    assert_eq!(
        fixture.complaints(),
        ["book/pages/SUMMARY.md:7: no page `two.md`"]
    );
}

#[test]
fn a_broken_link_stops_the_build_and_leaves_the_last_book() {
    let fixture = Fixture::new();
    assert!(fixture.build().status.success());
    fixture.write(
        "book/pages/front.md",
        "# Front\n\n[x](one.md#the-sun)\n[y](on.md)\n<img src=\"https://example.org/x.png\">\n",
    );
    assert_eq!(
        fixture.complaints(),
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
    let complaints = fixture.complaints();
    let start = "book/pages: unclosed HTML tag `<div>` found in `front.md`";
    assert!(complaints[0].starts_with(start), "{complaints:?}");
    assert_eq!(complaints.len(), 1, "{complaints:?}");
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
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    };
    let output = run(&input.to_string());
    assert!(output.status.success(), "{output:?}");
    let book: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let content = book["items"][0]["Chapter"]["content"]
        .as_str()
        .expect("text");
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
