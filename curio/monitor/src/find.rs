//! Which programs can be looked at.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, geteuid, test_kill_process};

/// A kernel that can be looked at.
#[derive(Debug)]
pub(crate) struct Program {
    /// The number of the process; and for a further kernel of it, its number behind a dot.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// All of this user's, by number.
pub(crate) fn programs() -> io::Result<Vec<Program>> {
    let mut programs = Vec::new();
    // Not all may have been started with the same environment.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(|path| PathBuf::from(path).join("curio"));
    let fallback = PathBuf::from(format!("/tmp/curio-{}", geteuid().as_raw()));
    for directory in runtime.into_iter().chain([fallback]) {
        if is_ours(&directory) {
            search(&directory, &mut programs)?;
        }
    }
    programs.sort_by_key(|program| number(&program.name));
    Ok(programs)
}

/// Whether it is a directory that nobody else can have put anything into.
fn is_ours(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o077 == 0)
}

fn number(name: &str) -> (u32, u32) {
    let mut parts = name.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn search(directory: &Path, into: &mut Vec<Program>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(|name| name.strip_suffix(".sock")) else {
            continue;
        };
        if !crate::is_process(name) {
            continue;
        }
        match UnixStream::connect(&path) {
            // An ordinary file refuses, too.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
                    remove_stale(&path, name);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => into.push(Program {
                name: name.to_string(),
                path,
            }),
        }
    }
    Ok(())
}

/// Removes what a program has left behind that was killed.
fn remove_stale(path: &Path, name: &str) {
    let process = Pid::from_raw(number(name).0 as i32);
    if process.is_none_or(|process| test_kill_process(process).is_err()) {
        let _ = fs::remove_file(path);
    }
}
