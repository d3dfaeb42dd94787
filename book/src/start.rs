//! A project of the exercises that stands by itself.
//!
//! A class works in folders of its own, so that the book can be updated without touching anybody's answers. The project
//! has the files at the paths that the pages name, so every command in the pages works in it as printed. It is a copy:
//! the exercises, the chapters they use, and a workspace manifest with only these members. What teachers need (the
//! wrong answers, the gate, the book) stays behind, and with it what would have to be downloaded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use toml::{Table, Value};

use crate::hints;
use crate::workspace::{Package, Workspace};

/// What is left out of the package of exercises.
const LEFT_OUT: [&str; 4] = ["wrong", "src/bin", "tests/hints.rs", "tests/watchdog.rs"];

/// Files that several packages include by their path.
const SHARED: &str = "chapters-code/common";

const README: &str = "\
# Exercises

Your copy of the exercises of *Build Your Own Async, in Rust*. The files to complete are in `chapters-code/exercises`,
one folder for each chapter; the book says what is to be done. From this folder:

    cargo test --test ch01 e1       # the tests of exercise 1 of chapter 1
    cargo test --test ch01          # all exercises of chapter 1
    cargo run -p chapter1           # the program of chapter 1

From the book's own folder, `cargo run -p book -- progress` with the path of this folder shows what is done.
";

/// Makes the project in the folder `dir`, which must not exist or be empty.
pub fn make(workspace: &Workspace, dir: &Path) -> Result<()> {
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || dir.is_file() {
        bail!("{} is there already: name a new folder", dir.display());
    }
    let packages = packages(workspace)?;
    for package in &packages {
        let name = workspace.relative(package.dir());
        let left_out = match package.name() == hints::PACKAGE {
            true => &LEFT_OUT[..],
            false => &[],
        };
        let left_out: Vec<PathBuf> = left_out.iter().map(|path| package.dir().join(path)).collect();
        copy(package.dir(), &dir.join(&name), &left_out)?;
        own_manifest(package, &packages, workspace, &dir.join(&name))?;
    }
    let shared = workspace.root().join(SHARED);
    if shared.exists() {
        copy(&shared, &dir.join(SHARED), &[])?;
    }
    for file in ["Cargo.lock", "rustfmt.toml"] {
        let from = workspace.root().join(file);
        if from.exists() {
            write(&dir.join(file), &read(&from)?)?;
        }
    }
    write(
        &dir.join("Cargo.toml"),
        &workspace_manifest(workspace, &packages)?,
    )?;
    write(&dir.join(".gitignore"), "/target\n")?;
    write(&dir.join("README.md"), README)
}

/// The exercises and all packages of the workspace that they need.
fn packages(workspace: &Workspace) -> Result<Vec<&Package>> {
    let mut found: Vec<&Package> = vec![workspace.package(hints::PACKAGE)?];
    let mut next = 0;
    while let Some(package) = found.get(next) {
        next += 1;
        for dir in package.path_dependencies() {
            let needed = workspace.package_in(dir);
            let needed = needed.ok_or_else(|| anyhow!("no package in {}", workspace.relative(dir)))?;
            if !found.iter().any(|package| package.name() == needed.name()) {
                found.push(needed);
            }
        }
    }
    Ok(found)
}

/// The manifest of the workspace, with these members.
fn workspace_manifest(workspace: &Workspace, packages: &[&Package]) -> Result<String> {
    let mut manifest = manifest(&workspace.root().join("Cargo.toml"))?;
    let table = manifest.get_mut("workspace").and_then(Value::as_table_mut);
    let table = table.context("Cargo.toml has no table [workspace]")?;
    let member = |package: &&Package| Value::String(workspace.relative(package.dir()));
    table.insert(
        "members".to_owned(),
        Value::Array(packages.iter().map(member).collect()),
    );
    let exercises = packages.iter().filter(|package| package.name() == hints::PACKAGE);
    table.insert(
        "default-members".to_owned(),
        Value::Array(exercises.map(member).collect()),
    );
    if let Some(dependencies) = table.get_mut("dependencies").and_then(Value::as_table_mut) {
        dependencies.retain(|_, dependency| dependency.get("path").is_none());
    }
    toml::to_string(&manifest).context("cannot write Cargo.toml")
}

/// Takes out of the copy of a package what needs files that were left behind.
fn own_manifest(package: &Package, packages: &[&Package], workspace: &Workspace, copy: &Path) -> Result<()> {
    let file = copy.join("Cargo.toml");
    let mut manifest = manifest(&file)?;
    let mut changed = false;
    if package.name() == hints::PACKAGE {
        changed |= manifest.remove("bin").is_some();
    }
    let is_gone = |name: &str| {
        let is_here = packages.iter().any(|package| package.name() == name);
        workspace.package(name).is_ok() && !is_here
    };
    if let Some(dependencies) = manifest.get_mut("dev-dependencies").and_then(Value::as_table_mut) {
        let before = dependencies.len();
        dependencies.retain(|name, _| !is_gone(name));
        if dependencies.len() < before {
            // Its tests look at the rest of the book.
            manifest.remove("dev-dependencies");
            let tests = copy.join("tests");
            if tests.exists() {
                fs::remove_dir_all(&tests).with_context(|| format!("cannot remove {}", tests.display()))?;
            }
            changed = true;
        }
    }
    match changed {
        true => write(
            &file,
            &toml::to_string(&manifest).context("cannot write Cargo.toml")?,
        ),
        false => Ok(()),
    }
}

fn manifest(file: &Path) -> Result<Table> {
    read(file)?
        .parse()
        .with_context(|| format!("cannot understand {}", file.display()))
}

/// Copies a folder. What is hidden or built is no source.
fn copy(from: &Path, to: &Path, left_out: &[PathBuf]) -> Result<()> {
    let context = || format!("cannot read {}", from.display());
    for entry in fs::read_dir(from).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || name == "target" || left_out.contains(&path) {
            continue;
        }
        let to = to.join(&name);
        match path.is_dir() {
            true => copy(&path, &to, left_out)?,
            false => write(&to, &read(&path)?)?,
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    let context = || format!("cannot write {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(context)?;
    }
    fs::write(file, text).with_context(context)
}
