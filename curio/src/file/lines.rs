//! Reading lines.
//!
//! Where a line ends is known only when more was read than the line. So a search reads ahead (F2), and hands out nothing before
//! it has found the end: one that is interrupted has read nothing, and what it has from the disk is still the file's.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::File;
use super::operations::{FIRST, LARGEST, read_some, unexpected};
use super::step::{Answer, Call, Done};
use crate::error::Result;
use crate::stream::lines::{text, text_without_end};
use crate::traps;

impl File {
    /// Appends everything up to and including this byte, or up to the end of the file; gives how many bytes that is, which is 0
    /// at the end.
    ///
    /// There is no limit: a file without such a byte is read as a whole.
    ///
    /// *Waits* for the disk, unless it was read already. *Interrupted* by cancellation and timeouts: nothing has been read, and
    /// nothing is lost.
    ///
    /// # Errors
    ///
    /// As for [`read`](File::read); nothing is appended then.
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut table = Vec::new();
    ///     File::open("Cargo.toml").await?.read_until(b']', &mut table).await?;
    ///     assert_eq!(table, b"[package]");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_until<'a>(&'a mut self, byte: u8, buf: &'a mut Vec<u8>) -> ReadUntil<'a> {
        ReadUntil::new(self, byte, buf, Location::caller())
    }

    /// Appends a line with its end, or what is left of the file; gives how many bytes that is, which is 0 at the end (Python
    /// Curio: `readline`).
    ///
    /// *Waits* and is *interrupted* as [`read_until`](File::read_until) is.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`InvalidData`](std::io::ErrorKind::InvalidData) if the line is not UTF-8;
    /// then nothing has been read. Otherwise as for [`read_until`](File::read_until).
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut line = String::new();
    ///     File::open("Cargo.toml").await?.read_line(&mut line).await?;
    ///     assert_eq!(line.trim_end(), "[package]");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_line<'a>(&'a mut self, buf: &'a mut String) -> ReadLine<'a> {
        ReadLine::new(self, buf, Location::caller())
    }

    /// The lines, one after the other, without their ends (Python's `async for line in file`).
    ///
    /// ```
    /// use curio::file::File;
    ///
    /// curio::run(async {
    ///     let mut file = File::open("Cargo.toml").await?;
    ///     let (mut lines, mut tables) = (file.lines(), 0);
    ///     while let Some(line) = lines.next().await {
    ///         tables += usize::from(line?.starts_with('['));
    ///     }
    ///     assert!(tables > 1);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn lines(&mut self) -> Lines<'_> {
        Lines::new(self)
    }
}

impl Call<'_> {
    /// Reads more of the file, behind what was read ahead already.
    fn poll_ahead(&mut self, cx: &mut TaskContext<'_>, size: usize) -> Poll<Result<usize>> {
        Poll::Ready(match ready!(self.poll(cx, false, |_| read_some(size))) {
            Done::Answer(Ok(Answer::Read(n))) => {
                self.file.keep(n);
                Ok(n)
            }
            Done::Answer(answer) => Err(unexpected(answer)),
            Done::Interrupted(error, _) => Err(error),
        })
    }
}

/// The search for the end of a line.
struct Search<'a> {
    call: Call<'a>,
    byte: u8,
    /// How much of what was read ahead was looked through.
    seen: usize,
    /// How much is read at once: more, if the line turns out to be long.
    size: usize,
}

impl<'a> Search<'a> {
    fn new(file: &'a mut File, byte: u8, place: &'static Location<'static>) -> Search<'a> {
        Search {
            call: Call::new(file, place),
            byte,
            seen: 0,
            size: FIRST,
        }
    }

    /// How long the line is that is next, its end included. It is not handed out yet.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        loop {
            if !self.call.is_calling() {
                ready!(self.call.settle(cx))?;
                let unread = self.call.file.unread();
                let end = unread[self.seen..].iter().position(|&byte| byte == self.byte);
                if let Some(end) = end {
                    ready!(traps::poll_budget(cx));
                    return Poll::Ready(Ok(self.seen + end + 1));
                }
                self.seen = unread.len();
            }
            if ready!(self.call.poll_ahead(cx, self.size))? == 0 {
                return Poll::Ready(Ok(self.call.file.unread().len()));
            }
            self.size = (2 * self.size).min(LARGEST);
        }
    }

    /// The line of this length.
    fn line(&self, len: usize) -> &[u8] {
        &self.call.file.unread()[..len]
    }

    fn consume(&mut self, len: usize) {
        if len > 0 {
            self.call.file.consume(len);
        }
    }
}

/// The operation of [`File::read_until`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ReadUntil<'a> {
    search: Search<'a>,
    buf: &'a mut Vec<u8>,
}

impl<'a> ReadUntil<'a> {
    pub(super) fn new(
        file: &'a mut File,
        byte: u8,
        buf: &'a mut Vec<u8>,
        place: &'static Location<'static>,
    ) -> ReadUntil<'a> {
        ReadUntil {
            search: Search::new(file, byte, place),
            buf,
        }
    }
}

impl Future for ReadUntil<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadUntil { search, buf } = &mut *self;
        let len = ready!(search.poll(cx))?;
        buf.extend_from_slice(search.line(len));
        search.consume(len);
        Poll::Ready(Ok(len))
    }
}

/// The operation of [`File::read_line`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ReadLine<'a> {
    search: Search<'a>,
    buf: &'a mut String,
}

impl<'a> ReadLine<'a> {
    pub(super) fn new(
        file: &'a mut File,
        buf: &'a mut String,
        place: &'static Location<'static>,
    ) -> ReadLine<'a> {
        ReadLine {
            search: Search::new(file, b'\n', place),
            buf,
        }
    }
}

impl Future for ReadLine<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadLine { search, buf } = &mut *self;
        let len = ready!(search.poll(cx))?;
        buf.push_str(text(search.line(len))?);
        search.consume(len);
        Poll::Ready(Ok(len))
    }
}

/// The lines of a file; see [`File::lines`].
#[derive(Debug)]
pub struct Lines<'a> {
    file: &'a mut File,
}

impl<'a> Lines<'a> {
    pub(super) fn new(file: &'a mut File) -> Lines<'a> {
        Lines { file }
    }

    /// The next line without its end (`\n` or `\r\n`); None at the end of the file (Python Curio: `anext`).
    ///
    /// *Waits* for the disk. *Interrupted* by cancellation and timeouts: it is not lost, but comes next.
    ///
    /// # Errors
    ///
    /// As for [`File::read_line`].
    ///
    /// See [`File::lines`] for an example.
    #[track_caller]
    // It is no iterator: it waits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> NextLine<'_> {
        NextLine {
            search: Search::new(self.file, b'\n', Location::caller()),
        }
    }
}

/// The operation of [`Lines::next`].
#[must_use = "it does nothing unless it is awaited"]
pub struct NextLine<'a> {
    search: Search<'a>,
}

impl Future for NextLine<'_> {
    type Output = Option<Result<String>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<String>>> {
        let search = &mut self.search;
        let len = match ready!(search.poll(cx)) {
            Ok(0) => return Poll::Ready(None),
            Ok(len) => len,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        let line = text_without_end(search.line(len));
        if line.is_ok() {
            search.consume(len);
        }
        Poll::Ready(Some(line))
    }
}

impl fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("search", &self.search).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(ReadUntil ReadLine NextLine);
