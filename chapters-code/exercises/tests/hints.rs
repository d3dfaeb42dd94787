//! Each exercise has three hints. The chapter's page shows them; `cargo run -p book -- check` sees to that.

use std::fs;
use std::path::Path;

/// The folders of the chapters' exercises.
const CHAPTERS: [&str; 4] = ["ch01", "ch02", "ch03", "ch04"];

#[test]
fn every_exercise_has_three_hints() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in CHAPTERS {
        let stubs = fs::read_dir(package.join(folder)).expect("the folder of stubs");
        for stub in stubs {
            let stub = stub.expect("an entry of the folder").path();
            let name = stub.file_stem().expect("a file").to_string_lossy().into_owned();
            let hints = package.join("hints").join(folder).join(format!("{name}.md"));
            let hints = fs::read_to_string(&hints).unwrap_or_else(|_| panic!("no hints for {name}"));
            let numbers: Vec<&str> = hints
                .lines()
                .map(|line| line.split(' ').next().unwrap_or(""))
                .collect();
            assert_eq!(
                numbers,
                ["1.", "2.", "3."],
                "{name} needs three hints, one in each line"
            );
        }
    }
}
