//! The path of a Unix server (V1, V2).

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::Result;

/// Makes room at a path: removes a socket at which nobody listens (V1).
///
/// Whatever else is there is left to fail when the server binds.
pub(crate) fn clear(path: &Path) -> Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && is_dead(path)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether nobody listens there. It never waits: somebody whose queue is full is alive.
fn is_dead(path: &Path) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let tried = socket.connect(&SockAddr::unix(path)?);
    Ok(tried.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// The path as the server has made it.
#[derive(Debug)]
pub(crate) struct Own {
    path: PathBuf,
    /// Device and number: somebody else may have put another there.
    file: (u64, u64),
}

impl Own {
    pub(crate) fn new(path: PathBuf) -> Result<Own> {
        // Where the program goes meanwhile is no matter.
        let path = std::path::absolute(path)?;
        let file = identity(&path)?;
        Ok(Own { path, file })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// V2.
impl Drop for Own {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            // If it cannot be removed, the next server will replace it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
