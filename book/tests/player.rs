//! Builds books with players in them, and looks at what comes out and at what stops the build.

mod common;

use std::fs;
use std::path::Path;

use common::Fixture;

/// A run of two tasks, as a chapter's program records it.
const TRACE: &str = include_str!("../../chapters-code/chapter02-traps/traces/family.jsonl");

const PAGE: &str = "# One\n\n## The sum\n\n{{player demo run \"Kid and parent\"}}\n\nAfter it.\n";

fn fixture(page: &str) -> Fixture {
    let fixture = Fixture::new();
    fixture.write("demo/traces/run.jsonl", TRACE);
    fixture.write("demo/transcripts/run.txt", "$ cargo run -p demo\nx\n");
    fixture.write("book/pages/one.md", page);
    fixture
}

/// The lines a build complains with.
fn complaints(page: &str, trace: &str) -> Vec<String> {
    let fixture = fixture(page);
    fixture.write("demo/traces/run.jsonl", trace);
    let output = fixture.book(&["build"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_player_reaches_the_page_and_the_print_version_and_no_search() {
    let fixture = fixture(&PAGE.replace("After it.", "{{player demo run \"Again\"}}\n\nAfter it."));
    let output = fixture.book(&["build"]).output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for page in ["one.html", "print.html"] {
        let page = fixture.read(&format!("target/book/{page}"));
        assert_eq!(page.matches("<kernel-player>").count(), 2);
        assert_eq!(page.matches("<script type=\"application/json\">").count(), 2);
        let caption =
            "<figcaption>Kid and parent, recorded by <code>cargo run -p demo -- --record</code></figcaption>";
        assert!(page.contains(caption), "{page}");
        assert!(page.contains(
            "aria-label=\"Kid and parent: parent runs in turns 1, 3 and 7; kid runs in turns 2, 4, 5 and 6.\""
        ));
        assert!(page.contains("data-text=\"kid says “brick 1”\""));
        assert!(page.contains("<p>After it.</p>"));
        assert!(page.contains("theme/player"));
    }
    let folder = fixture.0.path().join("target/book");
    let index = fs::read_dir(folder)
        .expect("built")
        .flatten()
        .map(|entry| entry.path());
    let index = index
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("searchindex"))
        })
        .map(|path| fs::read_to_string(path).expect("text"));
    let index: String = index.collect();
    assert!(index.contains("After it."), "{index}");
    for words in ["ready queue", "brick", "leaves", "TASK_JOIN"] {
        assert!(!index.contains(words), "{words}");
    }
}

#[test]
fn what_is_wrong_with_a_player_stops_the_build_with_file_and_line() {
    let missing = PAGE.replace("demo run", "demo rum");
    let told = complaints(&missing, TRACE);
    let start = "book/pages/one.md:5: cannot read demo/traces/rum.jsonl; did you mean `run.jsonl`?: ";
    assert!(told.len() == 1 && told[0].starts_with(start), "{told:?}");

    let untold = PAGE.replace(" \"Kid and parent\"", "");
    assert_eq!(
        complaints(&untold, TRACE),
        ["book/pages/one.md:5: expected `{{player PACKAGE NAME \"TITLE\"}}`"]
    );
    let untitled = PAGE.replace("Kid and parent", " ");
    assert_eq!(
        complaints(&untitled, TRACE),
        ["book/pages/one.md:5: a player has a title, for those who do not see it"]
    );

    // Line 2 creates the parent; without it, line 3 has nobody to put into the queue.
    let lines: Vec<&str> = TRACE.lines().collect();
    let beheaded = format!("{}\n{}\n", lines[0], lines[2..].join("\n"));
    let told = complaints(PAGE, &beheaded);
    assert_eq!(
        told,
        ["book/pages/one.md:5: demo/traces/run.jsonl:2: task 1 was not created"]
    );

    let mut long = TRACE.to_owned();
    for task in 10..200 {
        long += &format!(
            "{{\"at\":99,\"event\":\"created\",\"task\":{task},\"name\":\"kid\",\"parent\":null}}\n"
        );
    }
    let told = complaints(PAGE, &long);
    assert_eq!(
        told,
        ["book/pages/one.md:5: demo/traces/run.jsonl has 214 steps; nobody goes through more than 200"]
    );

    let told = complaints(PAGE, TRACE.trim_end());
    let torn = format!(
        "book/pages/one.md:5: demo/traces/run.jsonl:{}: the trace breaks off here",
        lines.len()
    );
    assert_eq!(told, [torn]);
}

#[test]
fn every_stored_trace_can_be_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let fixture = Fixture::new();
    let mut page = String::from("# One\n\n## The sum\n\n");
    let mut seen = 0;
    for chapter in fs::read_dir(root.join("chapters-code"))
        .expect("the chapters")
        .flatten()
    {
        let Ok(traces) = fs::read_dir(chapter.path().join("traces")) else {
            continue;
        };
        for trace in traces.flatten() {
            let text = fs::read_to_string(trace.path()).expect("a trace");
            fixture.write(&format!("demo/traces/{seen}.jsonl"), &text);
            fixture.write(
                &format!("demo/transcripts/{seen}.txt"),
                "$ cargo run -p demo\nx\n",
            );
            page += &format!("{{{{player demo {seen} \"{}\"}}}}\n\n", trace.path().display());
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} traces");
    fixture.write("book/pages/one.md", &page);
    let output = fixture.book(&["build"]).output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
