//! Each exercise has three hints, and the chapter's page shows them word for word.

use std::fs;
use std::path::Path;

/// The folder of a chapter's exercises, and its page.
const CHAPTERS: [(&str, &str); 4] = [
    ("ch01", "chapter01-generators.md"),
    ("ch02", "chapter02-traps.md"),
    ("ch03", "chapter03-async.md"),
    ("ch04", "chapter04-wakers.md"),
];

#[test]
fn the_pages_show_the_hints() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, page) in CHAPTERS {
        let page = package.join("../../book/pages").join(page);
        // The code of a chapter may be there before its page.
        let page = page
            .exists()
            .then(|| fs::read_to_string(page).expect("the chapter's page"));
        let stubs = fs::read_dir(package.join(folder)).expect("the folder of stubs");
        for stub in stubs {
            let stub = stub.expect("an entry of the folder").path();
            let name = stub.file_stem().expect("a file").to_string_lossy().into_owned();
            let hints = package.join("hints").join(folder).join(format!("{name}.md"));
            let hints = fs::read_to_string(&hints).unwrap_or_else(|_| panic!("no hints for {name}"));
            assert_eq!(
                hints.lines().count(),
                3,
                "{name} needs three hints, one in each line"
            );
            for (line, number) in hints.lines().zip(1..) {
                let text = line.strip_prefix(&format!("{number}. "));
                let text = text.unwrap_or_else(|| panic!("hint {number} of {name} has no number"));
                let shown = page.as_ref().is_none_or(|page| page.contains(text));
                assert!(shown, "hint {number} of {name} is not in the page");
            }
        }
    }
}
