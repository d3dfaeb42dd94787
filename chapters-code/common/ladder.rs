//! What every stage from chapter 5 on is tested for: it is `curio`, smaller.
//!
//! Each package includes this file in its tests by `#[path]`.

#![allow(dead_code, reason = "not every stage makes every claim")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a stage's package.
#[derive(Clone, Copy)]
pub(crate) struct Stage(pub(crate) &'static str);

impl Stage {
    fn path(self, path: &str) -> PathBuf {
        Path::new(self.0).join(path)
    }

    /// The text of a file.
    pub(crate) fn read(self, path: &str) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// All files below `src`, by their paths there.
    pub(crate) fn files(self) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let path = self.path("src").join(&folder);
            for entry in fs::read_dir(&path).expect("a folder of sources") {
                let entry = entry.expect("an entry");
                let name = format!("{folder}{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    folders.push(format!("{name}/"));
                } else {
                    files.insert(name);
                }
            }
        }
        files
    }

    /// The files that are a part of the crate: not what a stage runs, and not its front page.
    pub(crate) fn files_of_the_crate(self) -> BTreeSet<String> {
        let is_ours = |file: &String| file.starts_with("programs") || file == "main.rs" || file == "lib.rs";
        self.files().into_iter().filter(|file| !is_ours(file)).collect()
    }

    /// What the front page makes public by name.
    fn names(self) -> BTreeSet<String> {
        let text = self.read("src/lib.rs");
        let uses = text.split("\npub use ").skip(1);
        let uses = uses.filter_map(|rest| rest.split(';').next());
        let names = uses.flat_map(|list| list.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c))));
        let names = names.filter(|name| !name.is_empty() && !name.ends_with("::"));
        names
            .map(|name| name.rsplit("::").next().unwrap_or(name).to_string())
            .collect()
    }

    /// The files and names of the stage are those of the crate, but for these names.
    pub(crate) fn check_against_the_crate(self, own_names: &[&str]) {
        let curio = Stage(concat!(env!("CARGO_MANIFEST_DIR"), "/../../curio"));
        let (here, there) = (self.files_of_the_crate(), curio.files());
        let strangers: Vec<_> = here.difference(&there).collect();
        assert!(strangers.is_empty(), "the crate has no {strangers:?}");
        let (here, there) = (self.names(), curio.names());
        assert!(here.len() > 5 && there.len() > here.len(), "{here:?}, {there:?}");
        let strangers: BTreeSet<_> = here.difference(&there).map(String::as_str).collect();
        assert_eq!(
            strangers,
            own_names.iter().copied().collect(),
            "the crate has no such names"
        );
    }

    /// Operations ask for the running task in one place, on their way to wait.
    pub(crate) fn check_the_one_door(self) {
        for file in self.files() {
            let text = self.read(&format!("src/{file}"));
            let doors = text.matches("context::current()").count();
            let expected = usize::from(file == "traps.rs");
            assert_eq!(doors, expected, "{file} asks for the running task");
        }
    }
}
