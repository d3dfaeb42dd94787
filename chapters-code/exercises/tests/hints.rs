//! Each exercise has three hints. The chapter's page shows them; `cargo run -p book -- check` sees to that.

use std::fs;
use std::path::Path;

#[test]
fn every_exercise_has_three_hints() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut chapters = 0;
    for folder in fs::read_dir(package).expect("the package's folder") {
        let folder = folder.expect("an entry of the folder").file_name();
        let folder = folder.to_string_lossy();
        if !folder.starts_with("ch") || folder == "checks" {
            continue;
        }
        chapters += 1;
        let stubs = fs::read_dir(package.join(&*folder)).expect("the folder of stubs");
        for stub in stubs {
            let stub = stub.expect("an entry of the folder").path();
            let name = stub.file_stem().expect("a file").to_string_lossy().into_owned();
            let hints = package.join("hints").join(&*folder).join(format!("{name}.md"));
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
    assert!(chapters >= 7, "{chapters} folders of exercises");
}
