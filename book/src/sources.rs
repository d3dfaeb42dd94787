//! The sources of the workspace: items cut by path, compared with the stage before, and stored files.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail};

use crate::diff::Changes;
use crate::names;
use crate::source::{Crate, Cut, Show, segments};
use crate::stages;
use crate::workspace::{Package, Workspace};

/// Reads crates when they are first asked for, and keeps them.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Where the packages are.
    pub workspace: &'a Workspace,
    crates: RefCell<HashMap<PathBuf, Rc<Crate>>>,
}

/// What became of an item since the stage before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// There is no stage before, or the item belongs to none.
    Nothing,
    /// It was not there.
    New,
    /// It was there.
    Stage {
        /// In this stage.
        stage: u32,
        /// The file it was in, if that was another.
        moved_from: Option<String>,
        /// What changed.
        changes: Changes,
    },
}

impl<'a> Sources<'a> {
    /// Nothing is read yet.
    pub fn new(workspace: &'a Workspace) -> Sources<'a> {
        Sources {
            workspace,
            crates: RefCell::default(),
        }
    }

    /// Cuts the item at `PACKAGE::path` or `PACKAGE/TARGET::path`.
    pub fn cut(&self, path: &str, show: Show) -> Result<Cut> {
        let place = Place::parse(path)?;
        let krate = self.target(place.package, place.target)?;
        let cut = krate.cut(&place.within, show);
        cut.map_err(|error| anyhow!("`{}`: {}", place.origin, self.without_root(&error.to_string())))
    }

    /// Compares an item with the same item of the stage before: the one at the same path, or else the only one
    /// of the same name. Wrong turns belong to no stage, and a page is about changes of its own stage only.
    pub fn since(&self, path: &str, cut: &Cut, show: Show, page: Option<u32>) -> Result<Since> {
        let place = Place::parse(path)?;
        let stage = match stages::of_package(place.package).filter(|stage| Some(*stage) == page) {
            Some(stage) if !place.within.starts_with("wrong::") => stage,
            _ => return Ok(Since::Nothing),
        };
        let Some(before) = stages::previous(self.workspace, stage) else {
            return Ok(Since::Nothing);
        };
        let package = stages::package_name(before);
        let target = match place.target {
            // The program has the package's name.
            Some(target) if target == place.package => Some(package.as_str()),
            target => target,
        };
        let Ok(krate) = self.target(&package, target) else {
            return Ok(Since::New);
        };
        let path = match krate.knows(&place.within) {
            true => Some(place.within.clone()),
            false => krate.only_one_named(&cut.label),
        };
        let Some(path) = path else {
            return Ok(Since::New);
        };
        let old = krate.cut(&path, show)?;
        let inside = |package: &str, file: &Path| -> Result<String> {
            let dir = self.workspace.package(package)?.dir();
            Ok(file
                .strip_prefix(dir)
                .unwrap_or(file)
                .to_string_lossy()
                .replace('\\', "/"))
        };
        let (old_file, new_file) = (inside(&package, &old.file)?, inside(place.package, &cut.file)?);
        Ok(Since::Stage {
            stage: before,
            moved_from: (old_file != new_file).then_some(old_file),
            changes: Changes::between_listings(&old.text, &cut.text),
        })
    }

    fn target(&self, package: &str, target: Option<&str>) -> Result<Rc<Crate>> {
        self.read_crate(self.workspace.package(package)?.root_file(target)?)
    }

    /// The crate with this root file.
    pub fn read_crate(&self, root: &Path) -> Result<Rc<Crate>> {
        if let Some(krate) = self.crates.borrow().get(root) {
            return Ok(Rc::clone(krate));
        }
        let krate =
            Crate::read(root).map_err(|error| anyhow!("{}", self.without_root(&format!("{error:#}"))))?;
        let krate = Rc::new(krate);
        self.crates
            .borrow_mut()
            .insert(root.to_owned(), Rc::clone(&krate));
        Ok(krate)
    }

    /// The file at `path` in a package's folder, and not outside of it, with its text.
    pub fn file(&self, package: &str, path: &str) -> Result<(PathBuf, String)> {
        let package = self.workspace.package(package)?;
        let file = inside(package, path)?;
        let text = read(&file, self.workspace)?;
        Ok((file, text))
    }

    /// A message with the paths in it made relative to the workspace.
    fn without_root(&self, message: &str) -> String {
        let root = self.workspace.root().display();
        message
            .replace(&format!("{root}/"), "")
            .replace(&format!("{root}\\"), "")
    }
}

/// `PACKAGE/TARGET::path::to::Item`, taken apart.
struct Place<'a> {
    origin: &'a str,
    package: &'a str,
    target: Option<&'a str>,
    within: String,
}

impl<'a> Place<'a> {
    fn parse(path: &'a str) -> Result<Place<'a>> {
        let segments = segments(path);
        let (origin, within) = match segments.split_first() {
            Some((origin, within)) if !within.is_empty() => (*origin, within),
            _ => bail!("`{path}` names no item: expected `PACKAGE::path::to::Item`"),
        };
        let (package, target) = match origin.split_once('/') {
            Some((package, target)) => (package, Some(target)),
            None => (origin, None),
        };
        Ok(Place {
            origin,
            package,
            target,
            within: within.join("::"),
        })
    }
}

fn inside(package: &Package, path: &str) -> Result<PathBuf> {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !Path::new(path).components().all(normal) {
        bail!("`{path}` is not a path inside the package");
    }
    Ok(package.dir().join(path))
}

fn read(file: &Path, workspace: &Workspace) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| {
        let near = file_names_beside(file);
        let near: Vec<&str> = near.iter().map(String::as_str).collect();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "cannot read {}{}",
            workspace.relative(file),
            names::hint(&name, near)
        )
    })?;
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n"))
}

fn file_names_beside(file: &Path) -> Vec<String> {
    let folder = file.parent().and_then(|folder| fs::read_dir(folder).ok());
    let entries = folder.into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
