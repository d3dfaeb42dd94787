//! Attacks a book in which nothing is wrong, one guarantee at a time: each attack is told with its place.

mod common;

use std::path::Path;
use std::process::Command;

use common::Fixture;
use common::chapter::PAGE;

/// What `check` complains of. It has nothing to run but where that is what is tried.
fn complaints(fixture: &Fixture) -> Vec<String> {
    complaints_of(fixture, &["check", "--no-run"])
}

fn complaints_of(fixture: &Fixture, arguments: &[&str]) -> Vec<String> {
    let output = fixture
        .book(arguments)
        // Its packages have names that ours have, too.
        .env("CARGO_TARGET_DIR", fixture.0.path().join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(if told.is_empty() { 0 } else { 1 }),
        "{output:?}"
    );
    told.lines().map(str::to_owned).collect()
}

/// In a file, something is replaced by something else; the line of the page with this text, and the complaint, in
/// which `{}` stands for the page and that line.
type Attack<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Makes all of these attacks on one book, and expects their complaints, and no more than two others that follow
/// from them.
fn attack(attacks: &[Attack<'_>]) {
    let fixture = Fixture::with_chapter();
    for (file, old, new, _, _) in attacks {
        fixture.replace(file, old, new);
    }
    let text = fixture.read(PAGE);
    let complaints = complaints(&fixture);
    for (_, old, new, at, told) in attacks {
        let line = text
            .lines()
            .position(|line| line.contains(at))
            .map_or(0, |n| n + 1);
        let expected = told.replace("{}", &format!("{PAGE}:{line}"));
        let found = complaints.iter().any(|told| told.starts_with(&expected));
        assert!(found, "{old:?} -> {new:?}\n{complaints:#?}\n{expected}");
    }
    assert!(complaints.len() <= attacks.len() + 2, "{complaints:#?}");
}

#[test]
fn the_small_book_is_right() {
    let fixture = Fixture::with_chapter();
    assert_eq!(complaints(&fixture), [""; 0]);
    let page = fixture.read("target/book/chapter01-one.html");
    assert!(
        page.contains("<p>It takes seven turns, on a <dfn id=\"def-road\"><a href=\"glossary.html#road\">"),
        "{page}"
    );
    assert!(page.contains("<p>It takes 7 turns.</p>"), "{page}");
    assert_eq!(page.matches("<summary>Hint ").count(), 6, "{page}");
    let glossary = fixture.read("target/book/glossary.html");
    assert!(
        glossary.contains("who goes (<a href=\"chapter01-one.html#def-task\">chapter 1</a>)"),
        "{glossary}"
    );
}

/// The book itself, as CI looks at it.
#[test]
fn the_book_is_right() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_book"))
        .arg("check")
        .env("CARGO_MANIFEST_DIR", book)
        .output()
        .expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_renamed_function_is_missed_by_the_listing_that_shows_it() {
    let fixture = Fixture::with_chapter();
    fixture.replace("one/src/lib.rs", "fn go(", "fn walk(");
    let told = complaints(&fixture);
    assert!(told[0].ends_with(": `chapter1`: no item `go`"), "{told:#?}");
    assert!(
        told[1].contains("`walk` (one/src/lib.rs:5) is not shown"),
        "{told:#?}"
    );
    assert_eq!(told.len(), 2, "{told:#?}");
}

#[test]
fn what_a_run_no_longer_prints_is_missed() {
    let run = "one/transcripts/run.txt";
    // The last is one that nobody would see: the file no longer says what the program prints.
    attack(&[
        (
            run,
            "turns: 7",
            "steps: 7",
            "It takes {{fact",
            "{}: one/transcripts/run.txt: no line begins with \"turns:\"",
        ),
        (
            "one/tests/invariants.rs",
            "// Runs the transcripts.",
            "",
            "",
            "one/transcripts/run.txt:1: no test of `chapter1` runs the transcripts again",
        ),
    ]);
    let told = "{}: one/transcripts/run.txt: a transcript begins with `$ `";
    attack(&[(run, "$ cargo", "cargo", "{{transcript", told)]);
}

#[test]
fn the_programs_are_run_again() {
    let fixture = Fixture::with_chapter();
    fixture.remove("demo/transcripts/run.txt");
    fixture.write(
        "one/src/main.rs",
        "fn main() {\n    if std::env::args().any(|word| word == \"--record\") {\n        \
         return println!(\"{{}}\");\n    }\n    println!(\"turns: {}\", chapter1::go());\n}\n",
    );
    fixture.replace(
        "one/tests/invariants.rs",
        "// Runs the transcripts.",
        "// Runs the transcripts, check_traces, errors.",
    );
    fixture.replace(PAGE, "- `help` prints", "- `main` and `help` print");
    fixture.write("one/traces/run.jsonl", "{}\n");
    fixture.write(
        "one/errors/moved.rs",
        "pub fn go(s: String) {\n    drop((s, s));\n}\n",
    );
    let error = "error[E0382]: use of moved value: `s`\n --> errors/moved.rs:2:14\n";
    fixture.write("one/errors/moved.txt", error);
    let check = ["check"];
    assert_eq!(complaints_of(&fixture, &check), [""; 0]);

    // What is stored is no longer what is printed.
    fixture.replace("one/transcripts/run.txt", "7", "8");
    fixture.replace("one/traces/run.jsonl", "{}", "{ }");
    fixture.replace("one/errors/moved.txt", "moved value", "moved values");
    let told = complaints_of(&fixture, &check);
    for (told, expected) in told.iter().zip([
        "one/errors/moved.txt:1: stored: [(\"E0382\", \"use of moved values: `s`\", 2)] compiled now: ",
        "one/traces/run.jsonl:1: stored is \"{ }\", but printed now \"{}\"",
        "one/transcripts/run.txt:2: stored is \"turns: 8\", but printed now \"turns: 7\"",
    ]) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(complaints(&fixture), [""; 0]);

    // What does not compile cannot be run.
    fixture.replace("one/src/main.rs", "go()", "gone()");
    let told = complaints_of(&fixture, &check);
    assert!(
        told[0].starts_with("one/src/main.rs:5: cannot find function `gone`"),
        "{told:#?}"
    );
    assert_eq!(told.len(), 1, "{told:#?}");
}

#[test]
fn traces_are_recorded_again() {
    let fixture = Fixture::with_chapter();
    fixture.write("one/traces/run.jsonl", "");
    let told = ["one/traces/run.jsonl:1: no test of `chapter1` runs the traces again"];
    assert_eq!(complaints(&fixture), told);
}

#[test]
fn links_lead_somewhere() {
    let front = "book/pages/front.md";
    attack(&[
        (
            PAGE,
            "(#step-1-to-go)",
            "(#step-1)",
            "(#step-1)",
            "{}: the link `#step-1`: no `#step-1` in ",
        ),
        (
            front,
            "chapter01-one.md#step-2-to-go-on",
            "chapter01-won.md",
            "",
            "book/pages/front.md:3: the link `chapter01-won.html`: no file chapter01-won.html; did you mean",
        ),
    ]);
    let fixture = Fixture::with_chapter();
    fixture.write("book/pages/left.md", "# Left\n");
    fixture.replace(
        "book/pages/SUMMARY.md",
        "(glossary.md)\n",
        "(glossary.md)\n[X](x.md)\n",
    );
    assert_eq!(
        complaints(&fixture),
        [
            "book/pages/SUMMARY.md:10: no page `x.md`",
            "book/pages/left.md:1: book/pages/SUMMARY.md does not name this page",
        ]
    );
}

#[test]
fn the_template_is_kept() {
    attack(&[
        (
            PAGE,
            "## A wrong turn\n\n{{item chapter1::wrong::back}}\n\n{{transcript chapter1 run}}\n\n## From",
            "## From",
            "## From",
            "{}: the section `From inside` stands where `A wrong turn` belongs",
        ),
        (
            PAGE,
            "*It goes.*",
            "It goes.",
            "It goes.",
            "{}: below its title, a chapter says its idea",
        ),
        (
            PAGE,
            "10 minutes to do",
            "an hour",
            "About 5",
            "{}: before its first section, a chapter says how many",
        ),
        (
            PAGE,
            "### Step 2: ",
            "### Step 4: ",
            "Step 4",
            "{}: `Step 4: to go on` stands where `Step 2: ...` belongs",
        ),
        (
            PAGE,
            "{{words}}\n",
            "",
            "## Words",
            "{}: `Words` is one `{{words}}`",
        ),
        (
            PAGE,
            "[Roads](https://example.org/roads)",
            "Roads",
            "## Design note",
            "{}: `Design note: roads` has no part `Sources`",
        ),
    ]);
}

#[test]
fn invariants_name_tests_that_exist() {
    attack(&[
        (
            PAGE,
            "1. It goes. Test: `it_goes`.\n",
            "",
            "## Invariants",
            "{}: 2 numbered invariants",
        ),
        (
            PAGE,
            "Tests: `it_stays`",
            "Tests: `it_stay`",
            "`it_stay`",
            "{}: `chapter1` has no test `it_stay`; did you mean `it_stays`?",
        ),
        (
            "one/tests/invariants.rs",
            "fn it_ends",
            "fn it_stops",
            "`it_ends`",
            "{}: `chapter1` has no test `it_ends`",
        ),
    ]);
    let told = "{}: an invariant names the test";
    attack(&[(PAGE, "   Test: `it_ends`.\n", "", "3. It ends", told)]);
}

#[test]
fn a_page_of_the_wrong_length_is_told() {
    let sentence = "We go along a road, and a road goes along with us, one turn after the other.\n";
    for (count, words) in [(100, "has 1868"), (300, "has 5268")] {
        let fixture = Fixture::with_chapter();
        let text = fixture.read(PAGE);
        let start = text.find(sentence).expect("the filler");
        let end = text.find("### Sources").expect("the sources");
        fixture.write(
            PAGE,
            &format!("{}{}\n{}", &text[..start], sentence.repeat(count), &text[end..]),
        );
        let told = complaints(&fixture);
        assert!(
            told[0].starts_with(&format!("{PAGE}:1: the page {words}")),
            "{told:?}"
        );
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

#[test]
fn exercises_are_what_the_page_says() {
    let hints = "exercises/hints/ch01/e1_way.md";
    let (first, second) = ("### Exercise 1", "### Exercise 2");
    attack(&[
        (
            hints,
            "3. It is this.\n",
            "",
            "{{hints",
            "{}: exercises/hints/ch01/e1_way.md: an exercise has three hints, not 2",
        ),
        (
            PAGE,
            "\nLook here.\n",
            "\nLook there.\n",
            second,
            "{}: hint 2 is not that of hints/ch01/e2_road.md, word for word",
        ),
        (
            PAGE,
            "ch01 e2`",
            "ch02 e2`",
            "ch02 e2`",
            "{}: the command is `cargo test -p exercises --test ch01 e2`",
        ),
        (
            PAGE,
            ", rebuild: ",
            ", extend: ",
            "## Exercises",
            "{}: no exercise to rebuild",
        ),
        (
            PAGE,
            ", open: ",
            ", hard: ",
            "### Exercise 3",
            "{}: `Exercise 3, hard: elsewhere`: expected",
        ),
        // A stub that is solved, a solution that is none.
        (
            "exercises/ch01/e2_road.rs",
            "todo!()",
            "7",
            "e2_road.rs",
            "{}: exercises/ch01/e2_road.rs: the stub has no `todo!`",
        ),
        (
            "exercises/solutions/ch01/e2_road.rs",
            "7",
            "todo!()",
            "e2_road.rs",
            "{}: exercises/solutions/ch01/e2_road.rs: the solution has a `todo!`",
        ),
    ]);
    attack(&[
        (
            PAGE,
            "\n{{hints ch01/e1_way}}\n",
            "",
            first,
            "{}: `Exercise 1, predict: the way` has 0 hints, not three",
        ),
        (
            PAGE,
            "<summary>Hint 3</summary>",
            "<summary>Tip</summary>",
            second,
            "{}: `Exercise 2, rebuild: the road` has 2 hints",
        ),
    ]);
    let told = "{}: `Exercise 2, rebuild: the road` has no **Goal.**";
    attack(&[(PAGE, "**Goal.** Build it.\n", "Build it.\n", second, told)]);
    let fixture = Fixture::with_chapter();
    fixture.write("exercises/ch01/e3_new.rs", "pub fn new() { todo!() }\n");
    let told = complaints(&fixture);
    let expected = ": no exercise of this page has the file exercises/ch01/e3_new.rs";
    assert!(told[0].ends_with(expected), "{told:?}");
}

#[test]
fn pictures_headings_and_code_can_be_read_aloud() {
    attack(&[
        (
            PAGE,
            "![A task on its road]",
            "![]",
            "![]",
            "{}: an image without a text that says what it shows",
        ),
        (
            PAGE,
            "Go where",
            "```\nx\n```\n\nGo where",
            "```",
            "{}: a code block without a language",
        ),
        (
            PAGE,
            "Go where",
            "Just go where",
            "Just go",
            "{}: the word `Just` explains nothing",
        ),
        (
            PAGE,
            "So.",
            "So, 1,000 times.",
            "So, 1,000",
            "{}: the number 1,000 comes from no run",
        ),
        (
            PAGE,
            "## Words",
            "<img src=\"road.svg\" alt=\"\">\n\n## Words",
            "<img",
            "{}: an `<img>` without a text in `alt`",
        ),
        (
            "book/pages/front.md",
            "# Front",
            "# Front\n\n### Deep",
            "",
            "book/pages/front.md:3: a heading of level 3 below",
        ),
    ]);
}

#[test]
fn terms_are_bold_once_and_in_the_glossary() {
    let glossary = "book/pages/glossary.md";
    attack(&[
        (
            glossary,
            "road\n: what a task is on\n\n",
            "",
            "**road**",
            "{}: the bold term `road` is not in book/pages/glossary.md",
        ),
        (
            PAGE,
            "Go where you like.",
            "Go, **task**.",
            "Go, **task**",
            "{}: `task` is bold a second time; it is defined in ",
        ),
        (
            glossary,
            "task\n: who goes\n",
            "task\n: who goes\n\na way\n: a road\n",
            "",
            "book/pages/glossary.md:8: `a way` belongs before `task`",
        ),
    ]);
    let told = "book/pages/glossary.md:5: no page defines `road`, in bold";
    attack(&[(PAGE, "on a **road**", "on a road", "", told)]);
}

#[test]
fn every_item_of_a_stage_is_shown_or_named() {
    let changed = "## What changed";
    let lib = "one/src/lib.rs";
    attack(&[
        (
            PAGE,
            "- `help` prints what this page says.\n",
            "",
            changed,
            "{}: `help` (one/src/lib.rs:13) is not shown",
        ),
        (
            lib,
            "pub fn help() {}",
            "pub fn help() {}\n\nfn more() {}",
            changed,
            "{}: `more` (one/src/lib.rs:16) is not shown",
        ),
    ]);
    attack(&[
        (
            PAGE,
            "- `help` prints what this page says.",
            "- `help`, `help2`: for later.\n- `help`, `go` print what this page says.",
            "`help2`",
            "{}: `help2` is named under `Not shown`, but `chapter1` has no such item",
        ),
        (
            PAGE,
            "`help2`: for later",
            "`help2`: later",
            "`help2`",
            "{}: what is not shown has a reason",
        ),
        (
            PAGE,
            "`go` print what",
            "`go` print all that",
            "`go` print",
            "{}: `go` is named under `Not shown`, but the page shows it",
        ),
    ]);
}

#[test]
fn what_changed_between_two_stages_is_shown() {
    let fixture = Fixture::with_chapter();
    fixture.add_chapter();
    let page = "book/pages/chapter02-two.md";
    let told = complaints(&fixture);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told[0].ends_with(": `What changed` has no link to changes02.md"),
        "{told:#?}"
    );
    assert!(
        told[1].ends_with(": there is no page changes02.md with `{{diff 2}}`, the whole difference"),
        "{told:#?}"
    );

    fixture.replace(page, "{{same", "[All of it](changes02.md).\n\n{{same");
    fixture.write("book/pages/changes02.md", "# What changed\n\n{{diff 2}}\n");
    fixture.replace(
        "book/pages/SUMMARY.md",
        "- [Two](chapter02-two.md)\n",
        "- [Two](chapter02-two.md)\n- [All](changes02.md)\n",
    );
    assert_eq!(complaints(&fixture), [""; 0]);
    let html = fixture.read("target/book/chapter02-two.html");
    assert!(html.contains("<ins>    3 + 4</ins>"), "{html}");
    assert!(html.contains("(since chapter 1: 1 line added, 1 gone)"), "{html}");
    assert!(html.contains("(as in chapter 1)"), "{html}");
    let html = fixture.read("target/book/changes02.html");
    assert!(html.contains("-    7\n+    3 + 4\n"), "{html}");

    // A claim that is no longer true.
    fixture.replace("two/src/lib.rs", "pub struct Road;", "pub struct Road();");
    let told = complaints(&fixture);
    assert!(
        told[0].contains("`Road` is not the same in `chapter1` and `chapter2`"),
        "{told:#?}"
    );
    assert_eq!(told.len(), 1, "{told:#?}");
}
