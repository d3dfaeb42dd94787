//! A small book to build and to serve.

// Each test program uses its own part of this.
#![allow(dead_code, unreachable_pub, missing_debug_implementations)]

pub mod chapter;
pub mod chromium;

use std::fs;
use std::path::Path;
use std::process::Command;

/// A workspace with a package `demo` and a book, in a folder of its own.
pub struct Fixture(pub tempfile::TempDir);

/// The table of contents of its book.
pub const SUMMARY: &str = "# Summary\n\n[Front](front.md)\n\n- [One](one.md)\n  - [Deep](part/deep.md)\n";

impl Fixture {
    /// Makes one.
    pub fn new() -> Fixture {
        let fixture = Fixture(tempfile::tempdir().expect("a temporary folder"));
        // The book's own configuration, whose keys and style are thus tried too.
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut names = vec!["book.toml".to_owned()];
        for entry in fs::read_dir(here.join("theme")).expect("theme") {
            let name = entry.expect("readable").file_name();
            names.push(format!("theme/{}", name.to_string_lossy()));
        }
        for name in names {
            let text = fs::read_to_string(here.join(&name)).expect("readable");
            // Pages that are not in this book.
            let text = text
                .split("[output.html.search.chapter]")
                .next()
                .expect("the first part");
            fixture.write(&format!("book/{name}"), text);
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

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// Replaces a text that is there in a file.
    pub fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{name} has no {old:?}");
        self.write(name, &text.replacen(old, new, 1));
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.0.path().join(name)).expect(name);
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).expect(name)
    }

    /// The program, for the book in it.
    pub fn book(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_book"));
        // From anywhere: cargo tells the program where its package is.
        command
            .args(arguments)
            .current_dir("/")
            .env("CARGO_MANIFEST_DIR", self.0.path().join("book"));
        command
    }
}
