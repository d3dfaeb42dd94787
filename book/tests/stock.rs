//! A reader who has mdBook needs no tool of ours: `mdbook build book` makes the same pages.
//!
//! Byte for byte, but for the search index: what is in it depends on the version of a library that the two do not share,
//! and its name is a hash of what is in it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The files of a folder and their contents.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path
                        .strip_prefix(root)
                        .expect("inside")
                        .to_string_lossy()
                        .into_owned();
                    let text = fs::read(&path).expect("readable");
                    match name.starts_with("searchindex-") {
                        true => files.insert("searchindex".to_owned(), Vec::new()),
                        false => files.insert(name, without_index(text)),
                    };
                }
            }
        }
    }
    files
}

/// The text without the hash in the name of the search index.
fn without_index(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(mut text) = String::from_utf8(bytes.clone()) else {
        return bytes;
    };
    let name = "searchindex-";
    let mut from = 0;
    while let Some(start) = text[from..].find(name).map(|n| from + n + name.len()) {
        let hash = text[start..].chars().take_while(char::is_ascii_hexdigit).count();
        text.replace_range(start..start + hash, "");
        from = start;
    }
    text.into_bytes()
}

#[test]
#[ignore = "needs mdbook 0.5.4 on the PATH"]
fn stock_mdbook_makes_the_same_pages() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let theirs = tempfile::tempdir().expect("a temporary folder");
    // Not from here: cargo has told us things that a reader's shell does not know.
    let mut mdbook = Command::new("mdbook");
    for (name, _) in env::vars_os() {
        let told = name.to_string_lossy();
        if told.starts_with("CARGO_PKG") || told.starts_with("CARGO_MANIFEST") {
            mdbook.env_remove(&name);
        }
    }
    let output = mdbook
        .arg("build")
        .arg(book)
        .arg("--dest-dir")
        .arg(theirs.path())
        .output()
        .expect("mdbook is on the PATH");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let output = Command::new(env!("CARGO_BIN_EXE_book"))
        .arg("build")
        .env("CARGO_MANIFEST_DIR", book)
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let ours = text.trim().strip_prefix("The book is in ").expect("the place");

    let (ours, theirs) = (files(Path::new(ours)), files(theirs.path()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    for (name, text) in &ours {
        assert!(theirs[name] == *text, "{} differs", name);
    }
}
