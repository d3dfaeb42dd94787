//! Pipes and terminals.
//!
//! To wait for a descriptor in the kernel, it must not block. But whether it blocks is not a matter of the descriptor: it is
//! one of the *open file*, which the shell, our parent and our child may have as well. A program that makes its terminal
//! non-blocking and ends leaves a shell behind that sees errors. So:
//!
//! P1. Where the system allows it (Linux, for pipes and terminals), a descriptor that may be shared is opened anew. The new one
//!     is ours, and nobody else is concerned, whatever becomes of us.
//! P2. Where not, the file becomes non-blocking while somebody here uses it; the last one that is dropped makes it block
//!     again, if it did before. Copies of a descriptor are the same file; two descriptors with the same device and number may
//!     be or not (the two ends of a pipe are not), which a short look tells. Nobody here reads or writes meanwhile: what blocks
//!     for that moment would keep a kernel.
//! P3. A terminal gives one line at a time, and some pipes one packet, so a short read does not say that there is no more.
//! P4. An ordinary file cannot be waited for, and need not be: it is read and written as it is. (Standard input may be one.)

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::task::{Context as TaskContext, Poll, ready};

use socket2::SockRef;

use super::Stream;
use crate::error::{Error, Result};
use crate::net::bytes::{Readable, Transport, Writable, sealed::Sealed};
use crate::net::fd::ByFd;
use crate::net::source::Registered;
use crate::readiness::Direction;
use crate::traps::{Waiting, poll_budget};

/// A stream over a pipe or a terminal (Python Curio: `FileStream`).
pub type FileStream = Stream<Descriptor>;

impl FileStream {
    /// A stream over a pipe, a terminal or the like, which it owns.
    ///
    /// While it is used, the file does not block, nor does it for others who have it; afterwards it blocks again if it did
    /// before. See [`stdin`] for files that belong to others.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::stream::FileStream;
    /// use curio::run;
    ///
    /// let (reader, writer) = std::io::pipe().unwrap();
    /// run(async {
    ///     let (mut reader, mut writer) = (FileStream::open(reader)?, FileStream::open(writer)?);
    ///     writer.write_all(b"hello\n").await?;
    ///     let mut line = String::new();
    ///     reader.read_line(&mut line).await?;
    ///     assert_eq!(line, "hello\n");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn open(fd: impl Into<OwnedFd>) -> Result<FileStream> {
        Ok(Stream::new(Descriptor::new(File::from(fd.into()))?))
    }
}

/// Standard input, to read with a buffer. What another part of the program has in a buffer of its own is not seen here.
///
/// # Errors
///
/// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
///
/// ```no_run
/// curio::run(async {
///     let mut stdin = curio::stream::stdin()?;
///     let mut lines = stdin.lines();
///     while let Some(line) = lines.next().await {
///         println!("you said {}", line?);
///     }
///     Ok(())
/// })
/// .unwrap();
/// ```
#[track_caller]
pub fn stdin() -> Result<FileStream> {
    standard(&io::stdin(), 0, File::options().read(true))
}

/// Standard output, to write without waiting for who does not read. It has no buffer; what `println!` keeps back comes later.
///
/// # Errors
///
/// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
///
/// ```no_run
/// curio::run(async { curio::stream::stdout()?.write_all(b"hello\n").await }).unwrap();
/// ```
#[track_caller]
pub fn stdout() -> Result<FileStream> {
    standard(&io::stdout(), 1, File::options().write(true))
}

/// Standard error; see [`stdout`].
///
/// # Errors
///
/// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
#[track_caller]
pub fn stderr() -> Result<FileStream> {
    standard(&io::stderr(), 2, File::options().write(true))
}

#[track_caller]
fn standard(shared: &impl AsFd, number: u32, options: &mut OpenOptions) -> Result<FileStream> {
    let file = File::from(shared.as_fd().try_clone_to_owned()?);
    let file = reopen(&file, number, options).unwrap_or(file);
    Ok(Stream::new(Descriptor::new(file)?))
}

/// P1. Not for ordinary files, which would be read from their beginning; nor for sockets, which cannot be opened.
#[cfg(target_os = "linux")]
fn reopen(file: &File, number: u32, options: &mut OpenOptions) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let kind = file.metadata().ok()?.file_type();
    if !kind.is_fifo() && !kind.is_char_device() {
        return None;
    }
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(format!("/proc/self/fd/{number}")).ok()
}

#[cfg(not(target_os = "linux"))]
fn reopen(_: &File, _: u32, _: &mut OpenOptions) -> Option<File> {
    None
}

/// What a [`FileStream`] reads from and writes to.
#[derive(Debug)]
pub struct Descriptor(Kind);

enum Kind {
    /// The system tells when it can be read or written.
    Pollable(Registered<ByFd<Source>>),
    /// P4; None once it is closed.
    Ordinary(RefCell<Option<File>>),
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Pollable(_) => "Pollable",
            Kind::Ordinary(_) => "Ordinary",
        })
    }
}

impl Descriptor {
    fn new(file: File) -> Result<Descriptor> {
        let kind = file.metadata()?.file_type();
        if kind.is_file() || kind.is_dir() {
            return Ok(Descriptor::ordinary(file));
        }
        // Devices that are always ready, such as /dev/null, cannot be waited for either.
        let again = kind.is_char_device().then(|| file.try_clone()).transpose()?;
        match (Registered::adopt(ByFd(Source::new(file)?)), again) {
            (Err(Error::Io(error)), Some(file)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Descriptor::ordinary(file))
            }
            (registered, _) => Ok(Descriptor(Kind::Pollable(registered?))),
        }
    }

    /// Reads what is there now, without waiting and in no task.
    pub(crate) fn read_now(&self, buf: &mut [u8]) -> Result<usize> {
        match &self.0 {
            Kind::Pollable(io) => io.with(|source| source.0.call(|mut file| file.read(buf))),
            Kind::Ordinary(file) => {
                let file = file.borrow();
                let mut file = file.as_ref().ok_or(Error::Closed)?;
                file.read(buf).map_err(Error::Io)
            }
        }
    }

    fn ordinary(file: File) -> Descriptor {
        Descriptor(Kind::Ordinary(RefCell::new(Some(file))))
    }

    /// The file, which blocks again if it did before. It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there are no descriptors left. [`Error::Closed`].
    ///
    /// ```
    /// use curio::stream::FileStream;
    /// use std::io::Read;
    ///
    /// let (reader, mut writer) = std::io::pipe().unwrap();
    /// curio::run(async {
    ///     let reader = FileStream::open(reader)?;
    ///     let mut file = reader.into_inner().into_file()?; // for a thread
    ///     std::io::Write::write_all(&mut writer, b"x")?;
    ///     file.read_exact(&mut [0])?;
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn into_file(self) -> Result<File> {
        match self.0 {
            Kind::Pollable(io) => Ok(io.release()?.0.file.try_clone()?),
            Kind::Ordinary(file) => file.into_inner().ok_or(Error::Closed),
        }
    }
}

/// A file that can be waited for.
struct Source {
    file: Arc<File>,
    /// Whether it is one of those that will block again (P2).
    unblocked: bool,
}

impl Source {
    fn new(file: File) -> io::Result<Source> {
        let file = Arc::new(file);
        let unblocked = unblock(&file)?;
        Ok(Source { file, unblocked })
    }

    /// Reads or writes (P2).
    fn call<R>(&self, call: impl FnOnce(&File) -> io::Result<R>) -> io::Result<R> {
        let _nobody_looks = LOOK.read().unwrap_or_else(PoisonError::into_inner);
        call(&self.file)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.unblocked {
            let_block(&self.file);
        }
    }
}

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Sealed for Descriptor {}

impl Transport for Descriptor {
    fn close(&self) -> Result<()> {
        match &self.0 {
            Kind::Pollable(io) => io.close(),
            Kind::Ordinary(file) => drop(file.borrow_mut().take()),
        }
        Ok(())
    }
}

impl Readable for Descriptor {
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        match &self.0 {
            // P3.
            Kind::Pollable(io) => io.poll_fd(Direction::Read, waiting, cx, place, |source| {
                source.call(|mut file| file.read(buf))
            }),
            Kind::Ordinary(file) => {
                poll_ordinary(cx, || file.borrow().as_ref().map(|mut file| file.read(buf)))
            }
        }
    }
}

impl Writable for Descriptor {
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        match &self.0 {
            Kind::Pollable(io) => io.poll_fd(Direction::Write, waiting, cx, place, |source| {
                source.call(|mut file| file.write(buf))
            }),
            Kind::Ordinary(file) => {
                poll_ordinary(cx, || file.borrow().as_ref().map(|mut file| file.write(buf)))
            }
        }
    }

    /// A pipe has no halves: it ends when it is closed. A socket has, also one that came as a mere descriptor.
    fn finish(&self) -> Result<()> {
        if let Kind::Pollable(io) = &self.0 {
            match io.with(|source| SockRef::from(&*source.0.file).shutdown(Shutdown::Write)) {
                Err(Error::Io(error)) if error.raw_os_error() == Some(libc::ENOTSOCK) => {}
                finished => return finished,
            }
        }
        self.close()
    }
}

fn poll_ordinary(
    cx: &mut TaskContext<'_>,
    call: impl FnOnce() -> Option<io::Result<usize>>,
) -> Poll<Result<usize>> {
    ready!(poll_budget(cx));
    Poll::Ready(call().map_or(Err(Error::Closed), |called| called.map_err(Error::Io)))
}

/// A file that blocked before, and will again (P2).
struct Unblocked {
    /// Device and number.
    number: (u64, u64),
    /// The copies of it that are in use here.
    users: Vec<Weak<File>>,
}

static UNBLOCKED: Mutex<Vec<Unblocked>> = Mutex::new(Vec::new());

/// Held for writing by who makes a file block for a moment, and for reading by all who use one.
static LOOK: RwLock<()> = RwLock::new(());

fn unblocked() -> MutexGuard<'static, Vec<Unblocked>> {
    UNBLOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a file non-blocking. True if it is to block again.
fn unblock(file: &Arc<File>) -> io::Result<bool> {
    let found = file.metadata()?;
    let number = (found.dev(), found.ino());
    let mut all = unblocked();
    if SockRef::from(&**file).nonblocking()? {
        for known in all.iter_mut().filter(|known| known.number == number) {
            if known.is(file)? {
                known.users.push(Arc::downgrade(file));
                return Ok(true);
            }
        }
        return Ok(false);
    }
    SockRef::from(&**file).set_nonblocking(true)?;
    all.push(Unblocked {
        number,
        users: vec![Arc::downgrade(file)],
    });
    Ok(true)
}

/// One user less.
fn let_block(file: &Arc<File>) {
    let mut all = unblocked();
    let is_it = |user: &Weak<File>| Weak::as_ptr(user) == Arc::as_ptr(file);
    let Some(at) = all.iter().position(|known| known.users.iter().any(is_it)) else {
        return;
    };
    all[at].users.retain(|user| !is_it(user));
    if all[at].users.is_empty() {
        all.swap_remove(at);
        // If it cannot be, nobody is there to be told.
        let _ = SockRef::from(&**file).set_nonblocking(false);
    }
}

impl Unblocked {
    /// Whether this one, which does not block either, is a copy of it: if it is made to block, so is the other, for as long as
    /// it takes to look.
    fn is(&self, file: &File) -> io::Result<bool> {
        let Some(user) = self.users.iter().find_map(Weak::upgrade) else {
            return Ok(false);
        };
        let file = SockRef::from(file);
        let _look = LOOK.write().unwrap_or_else(PoisonError::into_inner);
        file.set_nonblocking(false)?;
        let other = SockRef::from(&*user).nonblocking();
        file.set_nonblocking(true)?;
        Ok(!other?)
    }
}
