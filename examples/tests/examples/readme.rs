//! The README shows what is there.

use std::path::Path;

const README: &str = include_str!("../../../README.md");

/// The blocks of code in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let begins = README.split(fence.as_str()).skip(1);
    begins
        .map(|rest| rest.split_once("```").expect("the block ends").0)
        .collect()
}

#[test]
fn its_program_is_the_example() {
    let source = include_str!("../../readme.rs");
    let (docs, program) = source.split_once("\n\n").expect("docs, then the program");
    assert!(docs.lines().all(|line| line.starts_with("//!")));
    assert_eq!(blocks("rust"), [program]);
    assert!(program.lines().count() <= 20, "it must stay that short");
}

#[test]
fn its_output_is_that_of_the_example() {
    let transcript = include_str!("../../transcripts/readme.txt");
    assert!(blocks("console").contains(&transcript));
}

#[test]
fn it_names_only_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut links = 0;
    for rest in README.split("](").skip(1) {
        let (target, _) = rest.split_once(')').expect("the link ends");
        if !target.contains("://") {
            assert!(root.join(target).exists(), "README.md links to {target}");
            links += 1;
        }
    }
    let mut examples = 0;
    for rest in README.split("--example ").skip(1) {
        let name = rest
            .split(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        assert!(
            root.join(format!("examples/{name}.rs")).exists(),
            "README.md runs example {name}"
        );
        examples += 1;
    }
    assert!(links > 0 && examples > 0, "this test looks for the wrong thing");
}
