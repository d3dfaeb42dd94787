//! The operations on files.

use std::fmt;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::panic::Location;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::File;
use super::step::{Answer, Call, Done, Step, Work, is_seekable};
use crate::error::{Error, Result};
use crate::traps;
use crate::workers::RunInThread;

/// How much is read or written in one call at most.
pub(super) const LARGEST: usize = 1 << 20;

/// How much the first call of a read to the end asks for.
pub(super) const FIRST: usize = 1 << 16;

type Opener = Box<dyn FnOnce() -> io::Result<(std::fs::File, bool)> + Send>;

/// The operation of [`File::open`] and its like.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Open(RunInThread<Opener, io::Result<(std::fs::File, bool)>>);

impl Open {
    pub(super) fn new(
        options: std::fs::OpenOptions,
        path: PathBuf,
        place: &'static Location<'static>,
    ) -> Open {
        let open: Opener = Box::new(move || {
            let file = options.open(path)?;
            let seekable = is_seekable(&file);
            Ok((file, seekable))
        });
        Open(RunInThread::new(open, place))
    }
}

impl Future for Open {
    type Output = Result<File>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<File>> {
        let opened = ready!(Pin::new(&mut self.0).poll(cx))?;
        Poll::Ready(match opened {
            Ok((file, seekable)) => Ok(File::with(file, seekable)),
            Err(error) => Err(Error::Io(error)),
        })
    }
}

/// Reads into the file's buffer. It is one system call, unless a signal comes in between.
pub(super) fn read_some(size: usize) -> Work {
    Box::new(move |at, buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        loop {
            match at.file.read(&mut buffer[..size]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map(Answer::Read),
            }
        }
    })
}

/// Writes from the file's buffer, at the file's position.
fn write_some(file: &mut File, bytes: &[u8]) -> Work {
    let size = bytes.len().min(LARGEST);
    file.buffer.clear();
    file.buffer.extend_from_slice(&bytes[..size]);
    Box::new(move |at, buffer| {
        at.go_back()?;
        loop {
            match at.file.write(&buffer[..size]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written.map(Answer::Written),
            }
        }
    })
}

impl Call<'_> {
    /// Reads some bytes and hands them to `take`, which says how many it wants at most.
    fn poll_read(
        &mut self,
        cx: &mut TaskContext<'_>,
        size: usize,
        take: impl FnOnce(&[u8]),
    ) -> Poll<Result<usize>> {
        if let Err(error) = ready!(self.settle(cx)) {
            return Poll::Ready(Err(error));
        }
        if !self.is_calling() && (size == 0 || !self.file.unread().is_empty()) {
            ready!(traps::poll_budget(cx));
            let n = self.file.unread().len().min(size);
            take(&self.file.unread()[..n]);
            self.file.consume(n);
            return Poll::Ready(Ok(n));
        }
        let size = size.min(LARGEST);
        Poll::Ready(match ready!(self.poll(cx, false, |_| read_some(size))) {
            Done::Answer(Ok(Answer::Read(n))) => {
                take(&self.file.buffer[..n]);
                Ok(n)
            }
            Done::Answer(answer) => Err(unexpected(answer)),
            Done::Interrupted(error, _) => Err(error),
        })
    }

    /// Writes some bytes. An error of an interruption knows how many those were.
    fn poll_write(&mut self, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if let Err(error) = ready!(self.poll_failure(cx)) {
            return Poll::Ready(Err(error));
        }
        if !self.is_calling() && bytes.is_empty() {
            ready!(traps::poll_budget(cx));
            return Poll::Ready(Ok(0));
        }
        Poll::Ready(
            match ready!(self.poll(cx, true, |file| write_some(file, bytes))) {
                Done::Answer(Ok(Answer::Written(n))) => Ok(n),
                Done::Answer(answer) => Err(unexpected(answer)),
                Done::Interrupted(error, Some(Ok(Answer::Written(n)))) => Err(error.after_bytes(n)),
                Done::Interrupted(error, _) => Err(error),
            },
        )
    }

    /// Waits until the file is settled, and tells whether a write that was left behind has failed.
    pub(super) fn poll_failure(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        ready!(self.settle(cx))?;
        Poll::Ready(match self.file.failed.take() {
            Some(error) => Err(Error::Io(error)),
            None => Ok(()),
        })
    }
}

/// What the system says; a worker that gives another answer than it was asked for is a mistake of ours.
pub(super) fn unexpected(answer: io::Result<Answer>) -> Error {
    match answer {
        Err(error) => Error::from(error),
        Ok(_) => Error::other("a worker has done something else with the file"),
    }
}

/// The operation of [`File::read`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Read<'a> {
    call: Call<'a>,
    buf: &'a mut [u8],
}

impl<'a> Read<'a> {
    pub(super) fn new(file: &'a mut File, buf: &'a mut [u8], place: &'static Location<'static>) -> Read<'a> {
        Read {
            call: Call::new(file, place),
            buf,
        }
    }
}

impl Future for Read<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Read { call, buf } = &mut *self;
        call.poll_read(cx, buf.len(), |bytes| buf[..bytes.len()].copy_from_slice(bytes))
    }
}

/// The operation of [`File::read_exact`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ReadExact<'a> {
    call: Call<'a>,
    buf: &'a mut [u8],
    done: usize,
}

impl<'a> ReadExact<'a> {
    pub(super) fn new(
        file: &'a mut File,
        buf: &'a mut [u8],
        place: &'static Location<'static>,
    ) -> ReadExact<'a> {
        ReadExact {
            call: Call::new(file, place),
            buf,
            done: 0,
        }
    }
}

impl Future for ReadExact<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let ReadExact { call, buf, done } = &mut *self;
        while *done < buf.len() {
            let rest = &mut buf[*done..];
            let size = rest.len();
            let take = |bytes: &[u8]| rest[..bytes.len()].copy_from_slice(bytes);
            match ready!(call.poll_read(cx, size, take)) {
                Ok(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
                Ok(n) => *done += n,
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
        if *done == 0 {
            ready!(traps::poll_budget(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads to the end, in steps that grow.
struct ToEnd {
    done: usize,
    size: usize,
}

impl ToEnd {
    const START: ToEnd = ToEnd { done: 0, size: FIRST };

    fn poll(
        &mut self,
        call: &mut Call<'_>,
        buf: &mut Vec<u8>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<usize>> {
        loop {
            let size = self.size.max(call.file.unread().len());
            match ready!(call.poll_read(cx, size, |bytes| buf.extend_from_slice(bytes))) {
                Ok(0) => return Poll::Ready(Ok(self.done)),
                Ok(n) => {
                    self.done += n;
                    self.size = (self.size * 2).min(LARGEST);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The operation of [`File::read_to_end`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ReadToEnd<'a> {
    call: Call<'a>,
    buf: &'a mut Vec<u8>,
    to_end: ToEnd,
}

impl<'a> ReadToEnd<'a> {
    pub(super) fn new(
        file: &'a mut File,
        buf: &'a mut Vec<u8>,
        place: &'static Location<'static>,
    ) -> ReadToEnd<'a> {
        ReadToEnd {
            call: Call::new(file, place),
            buf,
            to_end: ToEnd::START,
        }
    }
}

impl Future for ReadToEnd<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadToEnd { call, buf, to_end } = &mut *self;
        let read = ready!(to_end.poll(call, buf, cx));
        Poll::Ready(read.map_err(|error| error.after_bytes(to_end.done)))
    }
}

/// The operation of [`File::read_to_string`].
#[must_use = "it does nothing unless it is awaited"]
pub struct ReadToString<'a> {
    call: Call<'a>,
    buf: &'a mut String,
    bytes: Vec<u8>,
    to_end: ToEnd,
}

impl<'a> ReadToString<'a> {
    pub(super) fn new(
        file: &'a mut File,
        buf: &'a mut String,
        place: &'static Location<'static>,
    ) -> ReadToString<'a> {
        ReadToString {
            call: Call::new(file, place),
            buf,
            bytes: Vec::new(),
            to_end: ToEnd::START,
        }
    }
}

impl Future for ReadToString<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadToString {
            call,
            buf,
            bytes,
            to_end,
        } = &mut *self;
        let n = ready!(to_end.poll(call, bytes, cx))?;
        let read = std::mem::take(bytes);
        Poll::Ready(match String::from_utf8(read) {
            Ok(text) => {
                buf.push_str(&text);
                Ok(n)
            }
            Err(error) => Err(Error::Io(io::Error::new(
                io::ErrorKind::InvalidData,
                error.utf8_error(),
            ))),
        })
    }
}

/// What was read and cannot be handed out, because the operation goes away, is still to be read.
impl Drop for ReadToString<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.call.file.put_back(std::mem::take(&mut self.bytes));
        }
    }
}

/// The operation of [`File::write`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Write<'a> {
    call: Call<'a>,
    buf: &'a [u8],
}

impl<'a> Write<'a> {
    pub(super) fn new(file: &'a mut File, buf: &'a [u8], place: &'static Location<'static>) -> Write<'a> {
        Write {
            call: Call::new(file, place),
            buf,
        }
    }
}

impl Future for Write<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Write { call, buf } = &mut *self;
        call.poll_write(cx, buf)
    }
}

/// The operation of [`File::write_all`].
#[must_use = "it does nothing unless it is awaited"]
pub struct WriteAll<'a> {
    call: Call<'a>,
    buf: &'a [u8],
    done: usize,
}

impl<'a> WriteAll<'a> {
    pub(super) fn new(file: &'a mut File, buf: &'a [u8], place: &'static Location<'static>) -> WriteAll<'a> {
        WriteAll {
            call: Call::new(file, place),
            buf,
            done: 0,
        }
    }
}

impl Future for WriteAll<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let WriteAll { call, buf, done } = &mut *self;
        while *done < buf.len() {
            match ready!(call.poll_write(cx, &buf[*done..])) {
                Ok(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                Ok(n) => *done += n,
                Err(error) => {
                    let last = error.progress();
                    return Poll::Ready(Err(error.after_bytes(*done + last)));
                }
            }
        }
        if *done == 0 {
            ready!(traps::poll_budget(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// The operation of [`File::flush`].
#[must_use = "it does nothing unless it is awaited"]
pub struct Flush<'a>(Call<'a>);

impl<'a> Flush<'a> {
    pub(super) fn new(file: &'a mut File, place: &'static Location<'static>) -> Flush<'a> {
        Flush(Call::new(file, place))
    }
}

impl Future for Flush<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.0.file.job.is_none() {
            ready!(traps::poll_budget(cx));
        }
        self.0.poll_failure(cx)
    }
}

/// The operation of [`File::into_std`].
#[must_use = "it does nothing unless it is awaited"]
pub struct IntoStd {
    file: Option<File>,
    step: Step,
}

impl IntoStd {
    pub(super) fn new(file: File, place: &'static Location<'static>) -> IntoStd {
        IntoStd {
            file: Some(file),
            step: Step::new(place),
        }
    }
}

impl Future for IntoStd {
    type Output = Result<std::fs::File>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<std::fs::File>> {
        let IntoStd { file, step } = &mut *self;
        let Some(at) = file else {
            panic!("an IntoStd was polled after it had completed");
        };
        if at.job.is_none() {
            ready!(traps::poll_budget(cx));
        }
        let mut result = ready!(step.settle(at, cx));
        if let (Ok(()), Some(error)) = (&result, at.failed.take()) {
            result = Err(Error::Io(error));
        }
        if result.is_ok() && (step.is_calling() || at.seekable && !at.unread().is_empty()) {
            let back = |_: &mut File| -> Work { Box::new(|at, _| at.go_back().map(|()| Answer::Nothing)) };
            result = match ready!(step.poll(at, cx, false, back)) {
                Done::Answer(Ok(_)) => Ok(()),
                Done::Answer(Err(error)) => Err(Error::Io(error)),
                Done::Interrupted(error, _) => Err(error),
            };
        }
        let file = file.take();
        result?;
        let file = file.and_then(|file| file.into_inner());
        Poll::Ready(file.ok_or_else(|| Error::other("a worker still has the file")))
    }
}

macro_rules! debug {
    ($($name:ident$(<$life:lifetime$(, $type:ident)?>)?),* $(,)?) => {$(
        impl$(<$life$(, $type)?>)? fmt::Debug for $name$(<$life$(, $type)?>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(
    Read<'a>,
    ReadExact<'a>,
    ReadToEnd<'a>,
    ReadToString<'a>,
    Write<'a>,
    WriteAll<'a>,
    Flush<'a>,
    IntoStd,
);
