//! Where the sockets are, and that they are the user's alone (V1).
//!
//! The directory is closed to others, so it does not matter that a socket comes into being with the permissions of the umask,
//! before they are set. (To change the umask for a moment was rejected: it is the whole program's.)

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mio::net::UnixListener;

use super::system;
use crate::server::path::clear;

/// How many kernels of one program can be told apart.
const MOST: u32 = 10_000;

/// A socket comes into being in two steps, and between them it looks like one that was left behind: so the kernels of this
/// program do that one after the other. (Those of others have other names.)
static BINDING: Mutex<()> = Mutex::new(());

/// A socket that is listened on, and its file, which goes first: a file without its socket would be taken for one that was
/// left behind, and the one that took its place would be removed.
pub(super) struct Listener {
    _file: SocketFile,
    pub(super) socket: UnixListener,
}

/// The file of a socket: it goes with this.
pub(super) struct SocketFile {
    path: PathBuf,
    process: u32,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A child that was forked has a copy of this, but the file is the parent's.
        if self.process == std::process::id() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens where `curio-monitor` looks: in the first of the directories where that can be done.
pub(super) fn bind() -> io::Result<Listener> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for directory in directories() {
        match bind_in(&directory) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_in(directory: &Path) -> io::Result<Listener> {
    let told =
        |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    private(directory).map_err(|error| told(directory, error))?;
    remove_stale(directory);
    let process = std::process::id();
    for number in 1..MOST {
        let path = directory.join(match number {
            1 => format!("{process}.sock"),
            number => format!("{process}.{number}.sock"),
        });
        match bind_at(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound.map_err(|error| told(&path, error)),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Listens at this path. A socket there to which nobody listens any more is replaced.
pub(super) fn bind_at(path: &Path) -> io::Result<Listener> {
    let _binding = BINDING.lock().unwrap_or_else(PoisonError::into_inner);
    let bound = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            clear(path).map_err(io::Error::from)?;
            UnixListener::bind(path)
        }
        bound => bound,
    };
    let listener = Listener {
        socket: bound?,
        _file: SocketFile {
            path: path.to_path_buf(),
            process: std::process::id(),
        },
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Where the sockets of this user may be. The runtime directory is the first choice, if it is this user's: after `sudo` and its
/// kind it may be somebody else's still, who would then find a directory in it that is not their own. What is in it may not be
/// usable either, or its path too long for a socket.
fn directories() -> impl Iterator<Item = PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    // What is not absolute is to be ignored, says the specification.
    let ours = |path: &PathBuf| {
        path.is_absolute()
            && fs::metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == system::user())
    };
    let runtime = runtime.filter(ours).map(|path| path.join("curio"));
    runtime
        .into_iter()
        .chain([PathBuf::from(format!("/tmp/curio-{}", system::user()))])
}

/// Makes the directory, closed to all others, or makes sure that it is what this function would have made.
fn private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // Not what a link leads to: anybody can make one in /tmp.
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != system::user() || found.mode() & 0o077 != 0 {
        let what = "it is not a directory of this user's that is closed to all others";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// Removes what programs have left behind that were killed (V5).
fn remove_stale(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_suffix(".sock"));
        let process = process.and_then(|name| name.split('.').next()?.parse().ok());
        // A process of that number may be somebody else. Then the file stays, until that has ended too.
        if process.is_some_and(|process| !system::is_alive(process)) {
            let _ = clear(&entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_directory_of_ones_own_will_do() {
        let base = std::env::temp_dir().join(format!("curio-directory-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        DirBuilder::new().mode(0o700).create(&base).unwrap();
        let made = base.join("made");
        private(&made).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().mode() & 0o777, 0o700);
        assert!(private(&made).is_ok(), "it is there already");

        let open = base.join("open");
        DirBuilder::new().mode(0o700).create(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let link = base.join("link");
        std::os::unix::fs::symlink(&made, &link).unwrap();
        let file = base.join("file");
        fs::write(&file, "").unwrap();
        for bad in [open, link, file] {
            let error = private(&bad).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
        fs::remove_dir_all(&base).unwrap();
    }
}
