use std::fs;

use super::*;
use crate::source::segments;

/// A folder with a package `demo`, and the workspace it makes.
fn demo() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let long: String = (0..LONGEST).map(|n| format!("    let _ = {n};\n")).collect();
    let lib = format!(
        "/// Adds.\npub fn add(a: u32, b: u32) -> u32 {{\n    a + b\n}}\n\n\
         /// A point.\npub struct Point;\nimpl Clone for Point {{\n    \
         fn clone(&self) -> Point {{\n        Point\n    }}\n}}\n\
         pub const TEXT: &str = \"\n# title\n```\n\";\nfn long() {{\n{long}}}\n\
         fn wide() {{ let _too_wide = {}; }}\n",
        "1 + ".repeat(14) + "1"
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
    let page = Page {
        path: Path::new("p.md"),
        file: "book/pages/p.md",
        text: page,
    };
    let (text, problems) = page.expand(&Sources::new(&workspace), &Glossary::default());
    match problems.is_empty() {
        true => Ok(text),
        false => Err(problems.iter().map(Problem::to_string).collect()),
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
            "a listing of 27 lines; 25 is the most: show smaller items",
        ),
        (
            "{{item demo::wide}}",
            "a line of 88 characters; 87 is the most: `fn wide() { let _too_wide = 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + \
             1 + 1 + 1 + 1 + 1 + 1 + 1; }`",
        ),
        (
            "{{item demo::add x}}",
            "expected `{{item PACKAGE::path::to::Item}}`, perhaps with `docs`, `from` or `to`",
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
            "book/pages/p.md:2: `{{item}}` inside a code block; it makes its own, or write `\\{{`".to_owned(),
            "book/pages/p.md:4: `demo`: no item `x`".to_owned(),
        ])
    );
    let missing = expanded("{{transcript demo rum}}").expect_err("no such file");
    let start = "book/pages/p.md:1: cannot read transcripts/rum.txt; did you mean `run.txt`?: ";
    assert!(missing[0].starts_with(start), "{missing:?}");
}

/// Two stages: in the second, one line of `go` has changed, `wait` is new, and `stay` is in another file.
fn ladder() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
    for (name, text) in [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"b\", \"e\"]\nresolver = \"3\"\n".to_owned(),
        ),
        ("a/Cargo.toml", package("chapter1")),
        (
            "a/src/lib.rs",
            "pub fn go() {\n    one();\n    two();\n}\n\npub fn stay() {}\n".to_owned(),
        ),
        ("a/src/old.rs", "fn old() {}\n".to_owned()),
        ("b/Cargo.toml", package("chapter2")),
        (
            "b/src/lib.rs",
            "pub mod stay;\npub fn go() {\n    one();\n    both();\n    all();\n}\n\npub fn wait() {}\n"
                .to_owned(),
        ),
        ("b/src/stay.rs", "pub fn stay() {}\n".to_owned()),
        ("b/src/old.rs", "fn old() {}\n".to_owned()),
        (
            "b/transcripts/run.txt",
            "$ cargo run -p chapter2\nturns: 7, bytes: 8\nkids  3\n".to_owned(),
        ),
        (
            "b/errors/moved.txt",
            "error[E0382]: use of moved value\n".to_owned(),
        ),
        ("e/Cargo.toml", package("exercises")),
        ("e/src/lib.rs", String::new()),
        (
            "e/hints/ch02/e1.md",
            "1. Look.\n2. Look `here`.\n3. It is this.\n".to_owned(),
        ),
        ("e/hints/ch02/e2.md", "1. Look.\n2. Look here.\n".to_owned()),
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, text).expect("written");
    }
    let workspace = Workspace::load(dir.path()).expect("cargo knows it");
    (dir, workspace)
}

fn on_the_ladder(text: &str) -> Result<String, Vec<String>> {
    let (_dir, workspace) = ladder();
    let page = Page {
        path: Path::new("chapter02-p.md"),
        file: "p.md",
        text,
    };
    let (text, problems) = page.expand(&Sources::new(&workspace), &Glossary::default());
    match problems.is_empty() {
        true => Ok(text),
        false => Err(problems.iter().map(Problem::to_string).collect()),
    }
}

#[test]
fn what_changed_since_the_stage_before_is_said_and_marked() {
    let text = on_the_ladder("{{items chapter2::go chapter2::wait}}").expect("found");
    let caption = "<code>b/src/lib.rs</code>: \
        <code>go</code> <span class=\"since\">(since chapter 1: 2 lines added, 1 gone)</span>, \
        <code>wait</code> <span class=\"since\">(new)</span>";
    assert!(text.contains(caption), "{text}");
    let code = "pub fn go() {\n    one();\n<ins>    both();</ins>\n<ins>    all();</ins>\n}\n\n<ins>pub fn wait() {}</ins>\n";
    assert!(text.contains(code), "{text}");

    let text = on_the_ladder("{{item chapter2::go unmarked}}").expect("found");
    assert!(
        text.contains("since chapter 1") && !text.contains("<ins>"),
        "{text}"
    );
    let text = on_the_ladder("{{item chapter2::wait}}").expect("found");
    assert!(text.contains("(new)") && !text.contains("<ins>"), "{text}");
    let text = on_the_ladder("{{item chapter2::stay::stay}}").expect("found");
    assert!(
        text.contains("(as in chapter 1, there in <code>src/lib.rs</code>)"),
        "{text}"
    );
    // On the page of chapter 2, what chapter 1 changed is no news.
    let text = on_the_ladder("{{item chapter1::go}}").expect("found");
    assert!(!text.contains("since"), "{text}");
}

#[test]
fn a_part_goes_from_a_line_to_a_line() {
    let text = on_the_ladder("{{item chapter2::go from \"one();\" to \"both();\"}}").expect("found");
    assert!(text.contains("<code>go</code>, in part"), "{text}");
    assert!(text.contains(">one();\n<ins>both();</ins>\n</code>"), "{text}");
    assert!(text.contains("(since chapter 1: 1 line added)"), "{text}");
    for (options, message) in [
        ("from \"none();\"", "the item has no line `none();`"),
        ("to \"none();\"", "the item has no line `none();` there"),
        (
            "from \"all();\" to \"one();\"",
            "the item has no line `one();` there",
        ),
    ] {
        let told = on_the_ladder(&format!("{{{{item chapter2::go {options}}}}}"));
        assert_eq!(told, Err(vec![format!("p.md:1: {message}")]));
    }
}

#[test]
fn numbers_come_from_transcripts() {
    let text = on_the_ladder(
        "It took {{fact chapter2 run \"turns:\"}} turns of {{fact chapter2 run \"turns:\" 2}} bytes \
         for {{fact chapter2 run \"kids\" in-words}}; see \\{{fact a}}.\n",
    );
    let expected = "It took 7 turns of 8 bytes for three; see {{fact a}}.\n";
    assert_eq!(text.as_deref(), Ok(expected));
    for (fact, message) in [
        (
            "run \"bytes\"",
            "b/transcripts/run.txt: no line begins with \"bytes\"",
        ),
        (
            "run \"turns:\" 3",
            "b/transcripts/run.txt: no number 3 behind \"turns:\"",
        ),
        ("run \"\"", "b/transcripts/run.txt: 3 lines begin with \"\""),
        (
            "../x \"\"",
            "`transcripts/../x.txt` is not a path inside the package",
        ),
    ] {
        let told = on_the_ladder(&format!("x\n\n{{{{fact chapter2 {fact}}}}}"));
        assert_eq!(told, Err(vec![format!("p.md:3: {message}")]));
    }
}

#[test]
fn a_claim_that_nothing_changed_is_checked() {
    let text = on_the_ladder("{{same chapter1 chapter2 src/old.rs}}").expect("true");
    assert!(
        text.contains("not one line of* `src/old.rs` *has changed since* chapter 1.\n"),
        "{text}"
    );
    let text = on_the_ladder("{{same chapter1 chapter2 stay=stay::stay}}").expect("true");
    assert!(text.contains(" `stay::stay` (there `stay`) *has"), "{text}");
    for (what, message) in [
        ("src/lib.rs", "the first difference: b/src/lib.rs:1"),
        ("go", "the first difference: line 3 of the item in b/src/lib.rs"),
    ] {
        let told = on_the_ladder(&format!("{{{{same chapter1 chapter2 {what}}}}}"));
        let expected = format!("p.md:1: `{what}` is not the same in `chapter1` and `chapter2`; {message}");
        assert_eq!(told, Err(vec![expected]));
    }
}

#[test]
fn the_difference_of_stages_is_shown_file_by_file() {
    let text = on_the_ladder("{{diff 2}}").expect("two stages");
    assert!(text.contains("## `src/stay.rs`\n\nNew: 1 line.\n"), "{text}");
    assert!(
        text.contains("-    two();\n+    both();\n+    all();\n"),
        "{text}"
    );
    assert!(text.contains("## Not one line changed\n\n`src/old.rs`"), "{text}");
    for (numbers, message) in [
        ("1", "stage 1 is the first: there is nothing to compare it with"),
        ("3", "there is no stage 3"),
    ] {
        let told = on_the_ladder(&format!("{{{{diff {numbers}}}}}"));
        assert_eq!(told, Err(vec![format!("p.md:1: {message}")]));
    }
}

#[test]
fn hints_errors_and_words_have_their_places() {
    let text = on_the_ladder("{{hints ch02/e1}}").expect("three");
    assert_eq!(text.matches("<details>").count(), 3);
    assert!(
        text.contains("<summary>Hint 2</summary>\n\nLook `here`.\n\n</details>"),
        "{text}"
    );
    let told = on_the_ladder("{{hints ch02/e2}}");
    let expected = "p.md:1: e/hints/ch02/e2.md: an exercise has three hints, not 2";
    assert_eq!(told, Err(vec![expected.to_owned()]));

    let text = on_the_ladder("{{compiler-error chapter2 moved}}").expect("stored");
    assert!(
        text.contains("```text\nerror[E0382]: use of moved value\n```"),
        "{text}"
    );
    let told = on_the_ladder("{{words}}");
    assert_eq!(
        told,
        Err(vec![
            "p.md:1: the page defines no term that the glossary has".to_owned()
        ])
    );
}
