//! A small book with one chapter in which nothing is wrong.

use super::Fixture;

/// The chapter's page.
pub const PAGE: &str = "book/pages/chapter01-one.md";

const SUMMARY: &str =
    "# Summary\n\n[Front](front.md)\n\n- [One](chapter01-one.md)\n\n---\n\n[Glossary](glossary.md)\n";

const CHAPTER: &str = "\
# One

*It goes.*

About 5 minutes to read and 10 minutes to do.

## What we cannot do yet

{{transcript chapter1 run}}

## Predict

<details>
<summary>Answer</summary>

It goes.

</details>

## The smallest thing that works

### Step 1: to go

A **task** goes:

{{item chapter1::go}}

### Step 2: to go on

{{item chapter1::Road}}

### Step 3: to run

It takes {{fact chapter1 run \"turns:\" in-words}} turns, on a **road**.

![A task on its road](road.svg)

## A wrong turn

{{item chapter1::wrong::back}}

{{transcript chapter1 run}}

## From inside

{{transcript chapter1 run}}

## Invariants

1. It goes. Test: `it_goes`.
2. It stays.
   Tests: `it_stays`, `it_goes`.
3. It ends.
   Test: `it_ends`.

## What it costs

It takes {{fact chapter1 run \"turns:\"}} turns.

## What changed

Not shown on this page:

- `help` prints what this page says.

## Check yourself

<details>
<summary>Why?</summary>

So.

</details>

<details>
<summary>Who?</summary>

You.

</details>

<details>
<summary>Where?</summary>

[Above](#step-1-to-go).

</details>

## Exercises

### Exercise 1, predict: the way

**Goal.** Find the way.

**File.** `exercises/ch01/e1_way.rs`.

**Command.** `cargo test -p exercises --test ch01 e1`

**What the tests check.** The way.

{{hints ch01/e1_way}}

### Exercise 2, rebuild: the road

**Goal.** Build it.

**File.** `exercises/ch01/e2_road.rs`.

**Command.** `cargo test -p exercises --test ch01 e2`

**What the tests check.** The road.

<details>
<summary>Hint 1</summary>

Look.

</details>

<details>
<summary>Hint 2</summary>

Look here.

</details>

<details>
<summary>Hint 3</summary>

It is this.

</details>

### Exercise 3, open: elsewhere

Go where you like.

## Design note: roads

FILLER

### Sources

- [Roads](https://example.org/roads)

## Words

{{words}}
";

impl Fixture {
    /// Makes one with a chapter, its stage and its exercises.
    pub fn with_chapter() -> Fixture {
        let fixture = Fixture::new();
        fixture.write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"demo\", \"one\", \"exercises\"]\nresolver = \"3\"\n",
        );
        let package = |name: &str| format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        fixture.write("one/Cargo.toml", &package("chapter1"));
        fixture.write(
            "one/src/lib.rs",
            "//! One.\n#[path = \"../wrong/turn.rs\"]\npub mod wrong;\n\n/// Goes.\npub fn go() -> u32 {\n    7\n}\n\n\
             /// A road.\npub struct Road;\n\n/// Helps.\npub fn help() {}\n",
        );
        fixture.write(
            "one/wrong/turn.rs",
            "//! A wrong turn.\n\n/// Goes back.\npub fn back() {}\n",
        );
        fixture.write(
            "one/tests/invariants.rs",
            "// Runs the transcripts.\n#[test]\nfn it_goes() {}\n\n#[test]\nfn it_stays() {}\n\n#[test]\nfn it_ends() {}\n",
        );
        fixture.write("demo/tests/runs.rs", "// Runs the transcripts.\n");
        fixture.write("one/transcripts/run.txt", "$ cargo run -p chapter1\nturns: 7\n");
        let dependency = "\n[dependencies]\nchapter1 = { path = \"../one\" }\n";
        fixture.write("exercises/Cargo.toml", &(package("exercises") + dependency));
        fixture.write("exercises/src/lib.rs", "");
        fixture.write(
            "exercises/tests/ch01.rs",
            "#[path = \"../ch01/e1_way.rs\"]\nmod way;\n#[path = \"../ch01/e2_road.rs\"]\nmod road;\n\n\
             mod e1 {\n    #[test]\n    fn it_finds_the_way() {\n        assert_eq!(super::way::way(), 7);\n    }\n\n    \
             #[test]\n    fn it_is_a_way() {\n        super::way::way();\n    }\n}\n\n\
             mod e2 {\n    #[test]\n    fn it_is_a_road() {\n        super::road::road();\n    }\n}\n",
        );
        for (name, answer) in [("way", "chapter1::go()"), ("road", "7")] {
            let number = if name == "way" { 1 } else { 2 };
            let file = format!("ch01/e{number}_{name}");
            let text = |body: &str| format!("pub fn {name}() -> u32 {{\n    {body}\n}}\n");
            fixture.write(&format!("exercises/{file}.rs"), &text("todo!()"));
            fixture.write(&format!("exercises/solutions/{file}.rs"), &text(answer));
            let hints = "1. Look.\n2. Look here.\n3. It is this.\n";
            fixture.write(&format!("exercises/hints/{file}.md"), hints);
        }
        fixture.write("book/pages/SUMMARY.md", SUMMARY);
        fixture.write(
            "book/pages/front.md",
            "# Front\n\n[A road](chapter01-one.md#step-2-to-go-on).\n",
        );
        fixture.write(
            "book/pages/road.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n",
        );
        fixture.write(
            "book/pages/glossary.md",
            "# Glossary\n\nThe words.\n\nroad\n: what a task is on\n\ntask\n: who goes\n",
        );
        for unused in ["book/pages/one.md", "book/pages/part/deep.md"] {
            fixture.remove(unused);
        }
        let filler = "We go along a road, and a road goes along with us, one turn after the other.\n";
        fixture.write(PAGE, &CHAPTER.replace("FILLER", filler.repeat(150).trim_end()));
        fixture
    }

    /// Adds a second chapter, about a stage in which one line has changed, and leaves out the page of the difference.
    pub fn add_chapter(&self) {
        let copy = |from: &str, to: &str| {
            let text = self
                .read(from)
                .replace("chapter1", "chapter2")
                .replace("ch01", "ch02");
            self.write(to, &text);
        };
        self.replace("Cargo.toml", "\"one\"", "\"one\", \"two\"");
        for file in [
            "Cargo.toml",
            "src/lib.rs",
            "wrong/turn.rs",
            "tests/invariants.rs",
            "transcripts/run.txt",
        ] {
            copy(&format!("one/{file}"), &format!("two/{file}"));
        }
        self.replace("two/src/lib.rs", "    7\n", "    3 + 4\n");
        for exercise in ["e1_way", "e2_road"] {
            for (folder, extension) in [("", "rs"), ("solutions/", "rs"), ("hints/", "md")] {
                let file = |chapter: &str| format!("exercises/{folder}{chapter}/{exercise}.{extension}");
                copy(&file("ch01"), &file("ch02"));
            }
        }
        copy(PAGE, "book/pages/chapter02-two.md");
        for (old, new) in [
            ("**task**", "task"),
            ("**road**", "**way**"),
            ("- `help` prints what this page says.\n", ""),
            ("Not shown on this page:\n", "{{same chapter1 chapter2 Road}}\n"),
        ] {
            self.replace("book/pages/chapter02-two.md", old, new);
        }
        self.replace(
            "book/pages/glossary.md",
            "who goes\n",
            "who goes\n\nway\n: a road\n",
        );
        self.replace(
            "book/pages/SUMMARY.md",
            "\n---",
            "- [Two](chapter02-two.md)\n\n---",
        );
    }
}
