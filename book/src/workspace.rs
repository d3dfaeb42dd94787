//! The workspace the book is about: which packages there are, and where their sources begin.
//!
//! Cargo is asked (`cargo metadata`), because it knows every rule about where a target lives. It needs
//! neither the network nor a lock file for this, and answers in some hundredths of a second.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::names;

/// The packages of a workspace, by name.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    packages: BTreeMap<String, Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub struct Package {
    name: String,
    dir: PathBuf,
    targets: Vec<Target>,
    /// The folders of the packages it depends on by path.
    path_dependencies: Vec<PathBuf>,
}

/// Something cargo builds: a library, a program, an example, a test, a bench.
#[derive(Debug)]
struct Target {
    name: String,
    kinds: Vec<String>,
    root_file: PathBuf,
}

impl Workspace {
    /// Asks cargo for the workspace that contains the folder `inside`.
    pub fn load(inside: &Path) -> Result<Workspace> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(inside)
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!(
                "`cargo metadata` failed in {}: {}",
                inside.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Workspace::from_metadata(&output.stdout)
    }

    /// Reads what `cargo metadata` printed.
    fn from_metadata(json: &[u8]) -> Result<Workspace> {
        let metadata: Value = serde_json::from_slice(json).context("`cargo metadata` printed no JSON")?;
        read_metadata(&metadata).ok_or_else(|| anyhow!("`cargo metadata` printed unexpected JSON"))
    }

    /// The workspace's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The package of that name.
    pub fn package(&self, name: &str) -> Result<&Package> {
        self.packages.get(name).ok_or_else(|| {
            let hint = names::hint(name, self.packages.keys().map(String::as_str));
            anyhow!("no package `{name}` in the workspace{hint}")
        })
    }

    /// The names of all packages.
    pub fn package_names(&self) -> impl Iterator<Item = &str> {
        self.packages.keys().map(String::as_str)
    }

    /// The package in this folder.
    pub fn package_in(&self, dir: &Path) -> Option<&Package> {
        self.packages.values().find(|package| package.dir == dir)
    }

    /// A path as the book shows it: from the workspace's folder, with forward slashes, and without the detour of a
    /// `#[path = "../.."]`.
    pub fn relative(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        let mut shown: Vec<_> = Vec::new();
        for part in inside.components() {
            match (part, shown.last()) {
                (Component::ParentDir, Some(Component::Normal(_))) => drop(shown.pop()),
                (part, _) => shown.push(part),
            }
        }
        PathBuf::from_iter(shown).to_string_lossy().replace('\\', "/")
    }
}

impl Package {
    /// The package's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folders of the packages that it depends on by path, its tests' aside.
    pub fn path_dependencies(&self) -> &[PathBuf] {
        &self.path_dependencies
    }

    /// Where the sources of its library and of its programs begin.
    pub fn root_files(&self) -> impl Iterator<Item = &Path> {
        let shipped = |target: &&Target| target.is_library() || target.is("bin");
        self.targets
            .iter()
            .filter(shipped)
            .map(|target| target.root_file.as_path())
    }

    /// The package's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file in which a target's source begins. Without a target's name: the library, or else the
    /// program if there is only one.
    pub fn root_file(&self, target: Option<&str>) -> Result<&Path> {
        let package = &self.name;
        let found: Vec<&Target> = match target {
            Some(name) => self.targets.iter().filter(|t| t.name == name).collect(),
            None => {
                let library = self.targets.iter().filter(|t| t.is_library());
                let programs = self.targets.iter().filter(|t| t.is("bin"));
                match library.clone().next() {
                    Some(_) => library.collect(),
                    None => programs.collect(),
                }
            }
        };
        match (found.as_slice(), target) {
            ([one], _) => Ok(&one.root_file),
            ([], Some(name)) => {
                let hint = names::hint(name, self.targets.iter().map(|t| t.name.as_str()));
                bail!("package `{package}` has no target `{name}`{hint}")
            }
            ([], None) => {
                bail!("package `{package}` has no library; name a target: `{package}/TARGET`")
            }
            (_, Some(name)) => {
                // A package may give its library and its program one name; the library is the one
                // that `PACKAGE::` already means.
                let mut others = found.iter().filter(|t| !t.is_library());
                match (others.next(), others.next()) {
                    (Some(other), None) => Ok(&other.root_file),
                    _ => bail!("package `{package}` has more than one target `{name}`"),
                }
            }
            (_, None) => {
                bail!("package `{package}` has several programs; name one: `{package}/TARGET`")
            }
        }
    }
}

impl Target {
    fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|k| k == kind)
    }

    fn is_library(&self) -> bool {
        ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"]
            .iter()
            .any(|kind| self.is(kind))
    }
}

fn read_metadata(metadata: &Value) -> Option<Workspace> {
    let packages = metadata.get("packages")?.as_array()?;
    Some(Workspace {
        root: metadata.get("workspace_root")?.as_str()?.into(),
        packages: packages
            .iter()
            .map(|package| {
                let package = read_package(package)?;
                Some((package.name.clone(), package))
            })
            .collect::<Option<_>>()?,
    })
}

fn read_package(package: &Value) -> Option<Package> {
    let manifest = Path::new(package.get("manifest_path")?.as_str()?);
    let targets = package.get("targets")?.as_array()?;
    let dependencies = package.get("dependencies").and_then(Value::as_array);
    let paths = dependencies.into_iter().flatten();
    // What only the tests need is not needed where the package is.
    let paths = paths.filter(|dependency| dependency.get("kind").is_none_or(|kind| kind != "dev"));
    let paths = paths.filter_map(|dependency| dependency.get("path")?.as_str());
    Some(Package {
        path_dependencies: paths.map(PathBuf::from).collect(),
        name: package.get("name")?.as_str()?.to_owned(),
        dir: manifest.parent()?.to_owned(),
        targets: targets.iter().map(read_target).collect::<Option<_>>()?,
    })
}

fn read_target(target: &Value) -> Option<Target> {
    let kinds = target.get("kind")?.as_array()?;
    Some(Target {
        name: target.get("name")?.as_str()?.to_owned(),
        kinds: kinds
            .iter()
            .map(|kind| Some(kind.as_str()?.to_owned()))
            .collect::<Option<_>>()?,
        root_file: target.get("src_path")?.as_str()?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        let target = |name: &str, kind: &str, path: &str| serde_json::json!({"name": name, "kind": [kind], "src_path": path});
        let metadata = serde_json::json!({
            "workspace_root": "/w",
            "packages": [
                {
                    "name": "chapter1",
                    "manifest_path": "/w/chapters/one/Cargo.toml",
                    "targets": [
                        target("chapter1", "lib", "/w/chapters/one/src/lib.rs"),
                        target("chapter1", "bin", "/w/chapters/one/src/main.rs"),
                        target("transcripts", "test", "/w/chapters/one/tests/transcripts.rs"),
                    ],
                },
                {
                    "name": "examples",
                    "manifest_path": "/w/examples/Cargo.toml",
                    "targets": [
                        target("hello", "example", "/w/examples/hello.rs"),
                        target("twice", "example", "/w/examples/twice.rs"),
                        target("twice", "test", "/w/examples/tests/twice.rs"),
                    ],
                },
                {
                    "name": "tool",
                    "manifest_path": "/w/tool/Cargo.toml",
                    "targets": [target("tool", "bin", "/w/tool/src/main.rs")],
                },
            ],
        });
        Workspace::from_metadata(metadata.to_string().as_bytes()).expect("well-formed")
    }

    #[test]
    fn root_files_of_libraries_programs_and_named_targets() {
        let workspace = workspace();
        for (package, target, expected) in [
            ("chapter1", None, "/w/chapters/one/src/lib.rs"),
            ("chapter1", Some("chapter1"), "/w/chapters/one/src/main.rs"),
            (
                "chapter1",
                Some("transcripts"),
                "/w/chapters/one/tests/transcripts.rs",
            ),
            ("examples", Some("hello"), "/w/examples/hello.rs"),
            ("tool", None, "/w/tool/src/main.rs"),
        ] {
            let file = workspace.package(package).and_then(|p| p.root_file(target));
            assert_eq!(file.expect("found"), Path::new(expected), "{package} {target:?}");
        }
    }

    #[test]
    fn what_is_missing_or_unclear_is_said() {
        let workspace = workspace();
        let message = |package: &str, target: Option<&str>| {
            let file = workspace.package(package).and_then(|p| p.root_file(target));
            file.expect_err("must fail").to_string()
        };
        assert_eq!(
            message("chaptr1", None),
            "no package `chaptr1` in the workspace; did you mean `chapter1`?"
        );
        assert_eq!(
            message("examples", Some("helo")),
            "package `examples` has no target `helo`; did you mean `hello`?"
        );
        assert_eq!(
            message("examples", None),
            "package `examples` has no library; name a target: `examples/TARGET`"
        );
        assert_eq!(
            message("examples", Some("twice")),
            "package `examples` has more than one target `twice`"
        );
    }

    #[test]
    fn paths_are_shown_from_the_root() {
        let shown = |path| workspace().relative(Path::new(path));
        assert_eq!(shown("/w/examples/hello.rs"), "examples/hello.rs");
        assert_eq!(shown("/w/chapter/src/../wrong/turn.rs"), "chapter/wrong/turn.rs");
        assert_eq!(shown("/elsewhere/../x.rs"), "/x.rs");
    }

    #[test]
    fn garbage_is_refused() {
        for json in ["", "{}", r#"{"packages": 1, "workspace_root": "/"}"#] {
            assert!(Workspace::from_metadata(json.as_bytes()).is_err(), "{json}");
        }
    }
}
