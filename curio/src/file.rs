//! Files, as in `std::fs`, on worker threads.
//!
//! A file is always "ready", says the system, and then blocks for as long as the disk takes. So every operation on one is run
//! by a worker ([`crate::workers`]), and the task waits for that.
//!
//! ```
//! use curio::file::File;
//! use curio::run;
//!
//! let path = std::env::temp_dir().join(format!("curio-file-{}", std::process::id()));
//! run(async {
//!     let mut file = File::create(&path).await?;
//!     file.write_all(b"hello, world").await?;
//!     drop(file);
//!     let mut text = String::new();
//!     File::open(&path).await?.read_to_string(&mut text).await?;
//!     assert_eq!(text, "hello, world");
//!     Ok(())
//! })
//! .unwrap();
//! std::fs::remove_file(&path).unwrap();
//! ```
//!
//! # Interrupted
//!
//! A system call that a worker has begun cannot be taken back. So what an interrupted operation leaves behind belongs to the
//! file, and its next operation *settles* that first:
//!
//! | interrupted is | a call that has not begun | a call that has begun |
//! |---|---|---|
//! | a read, a seek, anything else | never runs | runs on; the caller leaves at once. What a read gives is kept for the next read |
//! | a write, on a file with positions | never runs | is awaited, since the caller must know how far it got: the error says it |
//! | a write, on a pipe or a terminal | never runs | runs on; the caller leaves at once. Its failure is told by the next write or flush |
//!
//! So a read is either had or still to come, and the position is always that of the bytes which the caller was given. (To wait
//! for a write is no hardship where a file has positions: then it is on a disk or in memory, and takes what a disk
//! takes. `read_at` and its like were rejected: files opened to append, and those without positions, know none.)
//!
//! The methods take `&mut self`, as a file has one position, so two tasks do not use it at once. What is read and written goes
//! through a buffer that the file keeps, of a megabyte at most, because a caller that leaves takes its own along.
//!
//! F1. `job` is what the worker was asked for last, until somebody has taken its reply. It is a part of the file, so that it
//!     does not matter how the operation ends that has begun it; be it that it is leaked.
//! F2. `ahead` is what was read and not handed out. The file's position is that of the system, less `ahead`.

mod ask;
mod lines;
mod operations;
mod options;
mod step;

use std::fmt;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::sync::Arc;

pub use ask::Ask;
pub use lines::{Lines, NextLine, ReadLine, ReadUntil};
pub use operations::{Flush, IntoStd, Open, Read, ReadExact, ReadToEnd, ReadToString, Write, WriteAll};
pub use options::OpenOptions;
use step::Job;

/// An open file, as [`std::fs::File`] (Python Curio: `aopen`). See the [module's documentation](self).
///
/// Dropping it closes it. (What the system has not yet written to the disk then fails in silence, as in `std`:
/// [`sync_all`](File::sync_all) tells.)
pub struct File {
    std: Arc<std::fs::File>,
    /// Whether it has positions.
    seekable: bool,
    /// F1.
    job: Option<Job>,
    /// F2; what comes before `taken` was handed out.
    ahead: Vec<u8>,
    taken: usize,
    /// The buffer that travels to the worker and back.
    buffer: Vec<u8>,
    /// A write that nobody waited for has failed.
    failed: Option<io::Error>,
}

impl File {
    /// Opens a file to read it.
    ///
    /// *Waits* for the system. *Interrupted* by cancellation and timeouts: a file that is opened too late is closed again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io). Otherwise as for [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    /// assert!(curio::run(File::open("no/such/file")).is_err());
    /// ```
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Open {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write it; it is made if it is not there, and emptied if it is.
    ///
    /// *Waits* and is *interrupted* as [`open`](File::open) is; but then the file may have been made, or emptied.
    ///
    /// # Errors
    ///
    /// As for [`open`](File::open).
    ///
    /// See the [module's documentation](self) for an example.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Open {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Makes a file, to read and write it. One that is there already is an error.
    ///
    /// *Waits* and is *interrupted* as [`create`](File::create) is.
    ///
    /// # Errors
    ///
    /// As for [`open`](File::open).
    ///
    /// ```
    /// use curio::file::File;
    /// assert!(curio::run(File::create_new(".")).is_err());
    /// ```
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Open {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// How to open a file, to be chosen; the same as [`OpenOptions::new`].
    ///
    /// ```
    /// use curio::file::File;
    /// assert!(curio::run(File::options().append(true).open("no/such/file")).is_err());
    /// ```
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    fn with(std: std::fs::File, seekable: bool) -> File {
        File {
            std: Arc::new(std),
            seekable,
            job: None,
            ahead: Vec::new(),
            taken: 0,
            buffer: Vec::new(),
            failed: None,
        }
    }

    /// Reads some bytes into `buf`; 0 at the end of the file. A megabyte at most, however large `buf` is.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: nothing has been read, and nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io). Otherwise as for [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut start = [0; 100];
    ///     let n = File::open("Cargo.toml").await?.read(&mut start).await?;
    ///     assert!(n > 0);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a> {
        Read::new(self, buf, Location::caller())
    }

    /// Fills the whole buffer.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes are in the buffer; the next read goes on after them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before. Otherwise
    /// as for [`read`](File::read).
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut start = [0; 9];
    ///     File::open("Cargo.toml").await?.read_exact(&mut start).await?;
    ///     assert_eq!(&start, b"[package]");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact::new(self, buf, Location::caller())
    }

    /// Reads all that is left and appends it; gives how many bytes that is.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes were appended; the next read goes on after them.
    ///
    /// # Errors
    ///
    /// As for [`read`](File::read); what came before is appended.
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut all = Vec::new();
    ///     let n = File::open("Cargo.toml").await?.read_to_end(&mut all).await?;
    ///     assert_eq!(n, all.len());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_to_end<'a>(&'a mut self, buf: &'a mut Vec<u8>) -> ReadToEnd<'a> {
        ReadToEnd::new(self, buf, Location::caller())
    }

    /// Reads all that is left as text and appends it; gives how many bytes that is.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: nothing has been read, and nothing is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8; then nothing is
    /// appended, and the file is at its end. Otherwise as for [`read`](File::read).
    ///
    /// See the [module's documentation](self) for an example.
    #[track_caller]
    pub fn read_to_string<'a>(&'a mut self, buf: &'a mut String) -> ReadToString<'a> {
        ReadToString::new(self, buf, Location::caller())
    }

    /// Writes some of the bytes; gives how many. A megabyte at most, however many there are.
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes were written; to learn that, it waits for a call that has begun. (Not on a pipe or a terminal, see
    /// the [module's documentation](self).)
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io). Otherwise as for [`run_in_thread`](crate::run_in_thread).
    ///
    /// ```
    /// use curio::file::File;
    /// # #[cfg(unix)]
    /// curio::run(async {
    ///     let mut nothing = File::create("/dev/null").await?;
    ///     assert_eq!(nothing.write(b"hello").await?, 5);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn write<'a>(&'a mut self, buf: &'a [u8]) -> Write<'a> {
        Write::new(self, buf, Location::caller())
    }

    /// Writes all of the bytes.
    ///
    /// *Waits* and is *interrupted* as [`write`](File::write) is.
    ///
    /// # Errors
    ///
    /// As for [`write`](File::write); when the disk is full, say, a part was written.
    ///
    /// See the [module's documentation](self) for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll::new(self, buf, Location::caller())
    }

    /// Waits for what an interrupted operation has left behind, if there is anything. (A file has no buffer to flush. To have
    /// it on the disk, use [`sync_all`](File::sync_all).)
    ///
    /// *Waits* for that. *Interrupted* by cancellation and timeouts, which changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if that was a write, and it failed.
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async { File::open("Cargo.toml").await?.flush().await }).unwrap();
    /// ```
    #[track_caller]
    pub fn flush(&mut self) -> Flush<'_> {
        Flush::new(self, Location::caller())
    }

    /// Makes a file of `std` of it, at the same position. A pipe has none: what was read of it and not handed out is lost.
    ///
    /// *Waits* for what an interrupted operation has left behind. *Interrupted* by cancellation and timeouts: then the file is
    /// closed.
    ///
    /// # Errors
    ///
    /// As for [`seek`](File::seek), if the position must be moved, and as for [`flush`](File::flush).
    ///
    /// ```
    /// use curio::file::File;
    /// curio::run(async {
    ///     let file: std::fs::File = File::open("Cargo.toml").await?.into_std().await?;
    ///     assert!(file.metadata()?.is_file());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn into_std(self) -> IntoStd {
        IntoStd::new(self, Location::caller())
    }
}

/// Takes a file of `std`. Whether it has positions is asked here; that does not block.
impl From<std::fs::File> for File {
    fn from(file: std::fs::File) -> File {
        let seekable = step::is_seekable(&file);
        File::with(file, seekable)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("std", &self.std)
            .field("settled", &self.job.is_none())
            .finish_non_exhaustive()
    }
}

impl File {
    fn unread(&self) -> &[u8] {
        &self.ahead[self.taken..]
    }

    /// So many bytes of what was read ahead are handed out.
    fn consume(&mut self, n: usize) {
        self.taken += n;
        if self.taken == self.ahead.len() {
            self.forget_ahead();
        }
    }

    fn forget_ahead(&mut self) {
        self.ahead = Vec::new();
        self.taken = 0;
    }

    /// The first `n` bytes of the buffer were read ahead.
    fn keep(&mut self, n: usize) {
        self.ahead.drain(..self.taken);
        self.taken = 0;
        self.ahead.extend_from_slice(&self.buffer[..n]);
    }

    /// Puts bytes back that were handed out, before all others.
    fn put_back(&mut self, mut bytes: Vec<u8>) {
        bytes.extend_from_slice(self.unread());
        self.ahead = bytes;
        self.taken = 0;
    }

    /// The file of `std`, if no worker has it any more.
    fn into_inner(self) -> Option<std::fs::File> {
        Arc::into_inner(self.std)
    }
}
