//! The built book in memory.
//!
//! A request can only name what was loaded: no path of a URL ever reaches the file system, so there is
//! nothing to traverse. And serving never waits for a disk, which would stop every other task of the
//! server's one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The files of a site, by their path in its URLs.
#[derive(Debug, Default)]
pub struct Site {
    files: BTreeMap<String, File>,
    folders: BTreeSet<String>,
}

/// A file to serve.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// What is in it.
    pub content: Vec<u8>,
}

/// What there is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A file.
    File(&'a File),
    /// A folder, whose URL is this, with a slash at its end.
    Folder(String),
    /// Nothing.
    Nothing,
}

impl Site {
    /// Loads every file in a folder. Symbolic links are left out: they may lead elsewhere.
    pub fn load(folder: &Path) -> Result<Site> {
        let mut site = Site::default();
        site.load_folder(folder, "/")?;
        Ok(site)
    }

    fn load_folder(&mut self, folder: &Path, url: &str) -> Result<()> {
        let context = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let kind = entry.file_type().with_context(context)?;
            let name = entry.file_name();
            // A name that is not Unicode has no URL.
            let Some(name) = name.to_str() else { continue };
            let path = entry.path();
            if kind.is_dir() {
                self.load_folder(&path, &format!("{url}{name}/"))?;
            } else if kind.is_file() {
                let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                self.insert(&format!("{url}{name}"), content);
            }
        }
        Ok(())
    }

    /// Adds a file at a path that begins with a slash.
    pub fn insert(&mut self, path: &str, content: Vec<u8>) {
        if let Some(folder) = path.strip_suffix("/index.html") {
            self.folders.insert(folder.to_owned());
        }
        let content_type = content_type(path);
        self.files.insert(
            path.to_owned(),
            File {
                content_type,
                content,
            },
        );
    }

    /// What there is at a path (already decoded).
    pub fn find(&self, path: &str) -> Found<'_> {
        if let Some(file) = self.files.get(path) {
            return Found::File(file);
        }
        if path.ends_with('/') {
            return match self.files.get(&format!("{path}index.html")) {
                Some(file) => Found::File(file),
                None => Found::Nothing,
            };
        }
        match self.folders.contains(path) {
            true => Found::Folder(format!("{path}/")),
            false => Found::Nothing,
        }
    }

    /// The page to show for what is not there.
    pub fn not_found_page(&self) -> Option<&File> {
        self.files.get("/404.html")
    }
}

fn content_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_are_found_by_their_urls() {
        let mut site = Site::default();
        for path in ["/index.html", "/a.css", "/part/index.html", "/pictures/x.svg"] {
            site.insert(path, path.as_bytes().to_vec());
        }
        for (path, expected) in [
            ("/", "/index.html"),
            ("/index.html", "/index.html"),
            ("/part/", "/part/index.html"),
            ("/pictures/x.svg", "/pictures/x.svg"),
        ] {
            let Found::File(file) = site.find(path) else {
                panic!("{path} is not there")
            };
            assert_eq!(file.content, expected.as_bytes(), "{path}");
        }
        assert_eq!(site.find("/part"), Found::Folder("/part/".to_owned()));
        for path in [
            "/pictures",
            "/pictures/",
            "/index.html/",
            "//",
            "/part//",
            "/../index.html",
        ] {
            assert_eq!(site.find(path), Found::Nothing, "{path}");
        }
        assert_eq!(site.not_found_page(), None);
    }

    #[test]
    fn content_types() {
        for (path, expected) in [
            ("/a.html", "text/html; charset=utf-8"),
            ("/a.min.js", "text/javascript; charset=utf-8"),
            ("/a.svg", "image/svg+xml"),
            ("/fonts/a.woff2", "font/woff2"),
            ("/a.wasm", "application/wasm"),
            ("/.nojekyll", "application/octet-stream"),
            ("/html", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_leads_elsewhere_is_not_loaded() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("sub")).expect("made");
        fs::write(dir.path().join("secret.txt"), "secret").expect("written");
        fs::write(site.join("sub/a.txt"), "a").expect("written");
        std::os::unix::fs::symlink("../secret.txt", site.join("link.txt")).expect("linked");
        std::os::unix::fs::symlink("..", site.join("up")).expect("linked");
        let site = Site::load(&site).expect("loaded");
        assert!(matches!(site.find("/sub/a.txt"), Found::File(_)));
        for path in ["/link.txt", "/up/secret.txt", "/up", "/up/"] {
            assert_eq!(site.find(path), Found::Nothing, "{path}");
        }
    }
}
