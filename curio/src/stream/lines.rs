//! Reading lines.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::Stream;
use crate::error::{Error, Result};
use crate::net::bytes::Readable;
use crate::traps::{Waiting, poll_budget};

/// The search for the end of a line.
#[derive(Debug)]
struct Search {
    byte: u8,
    /// How much of the buffer was looked through.
    seen: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Search {
    fn new(byte: u8, place: &'static Location<'static>) -> Search {
        Search {
            byte,
            seen: 0,
            waiting: Waiting::new(),
            place,
        }
    }

    /// How long the line is that the buffer begins with, its end included. It stays there (T1).
    fn poll<S: Readable>(&mut self, stream: &mut Stream<S>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Stream {
            io,
            buffer,
            line_limit,
            ..
        } = stream;
        ready!(poll_budget(cx));
        loop {
            let filled = buffer.filled();
            let found = filled[self.seen..].iter().position(|&byte| byte == self.byte);
            let len = found.map_or(filled.len(), |at| self.seen + at + 1);
            if len > *line_limit {
                return Poll::Ready(Err(too_long(*line_limit)));
            }
            if found.is_some() {
                self.waiting.complete();
                return Poll::Ready(Ok(len));
            }
            self.seen = len;
            if ready!(buffer.poll_fill(io, &mut self.waiting, cx, self.place))? == 0 {
                return Poll::Ready(Ok(len));
            }
        }
    }
}

fn too_long(limit: usize) -> Error {
    invalid(format!("a line of more than {limit} bytes"))
}

fn invalid(what: impl Into<String>) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidData, what.into()))
}

/// The operation of [`Stream::read_until`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadUntil<'a, S> {
    stream: &'a mut Stream<S>,
    out: &'a mut Vec<u8>,
    search: Search,
}

impl<'a, S> ReadUntil<'a, S> {
    pub(super) fn new(
        stream: &'a mut Stream<S>,
        byte: u8,
        out: &'a mut Vec<u8>,
        place: &'static Location<'static>,
    ) -> Self {
        stream.reading = Waiting::new();
        ReadUntil {
            stream,
            out,
            search: Search::new(byte, place),
        }
    }
}

impl<S: Readable> Future for ReadUntil<'_, S> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadUntil { stream, out, search } = &mut *self;
        let len = ready!(search.poll(stream, cx))?;
        out.extend_from_slice(&stream.buffer.filled()[..len]);
        stream.buffer.consume(len);
        Poll::Ready(Ok(len))
    }
}

/// The operation of [`Stream::read_line`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadLine<'a, S> {
    stream: &'a mut Stream<S>,
    out: &'a mut String,
    search: Search,
}

impl<'a, S> ReadLine<'a, S> {
    pub(super) fn new(
        stream: &'a mut Stream<S>,
        out: &'a mut String,
        place: &'static Location<'static>,
    ) -> Self {
        stream.reading = Waiting::new();
        ReadLine {
            stream,
            out,
            search: Search::new(b'\n', place),
        }
    }
}

impl<S: Readable> Future for ReadLine<'_, S> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadLine { stream, out, search } = &mut *self;
        let len = ready!(search.poll(stream, cx))?;
        out.push_str(text(&stream.buffer.filled()[..len])?);
        stream.buffer.consume(len);
        Poll::Ready(Ok(len))
    }
}

/// A line as text.
pub(crate) fn text(line: &[u8]) -> Result<&str> {
    std::str::from_utf8(line).map_err(|error| invalid(format!("a line that is no text: {error}")))
}

/// A line as text without its end.
pub(crate) fn text_without_end(line: &[u8]) -> Result<String> {
    let line = line
        .strip_suffix(b"\n")
        .map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
    text(line).map(str::to_string)
}

/// The lines of a stream; see [`Stream::lines`].
#[derive(Debug)]
pub struct Lines<'a, S> {
    stream: &'a mut Stream<S>,
}

impl<'a, S: Readable> Lines<'a, S> {
    pub(super) fn new(stream: &'a mut Stream<S>) -> Self {
        Lines { stream }
    }

    /// The next line without its end (`\n` or `\r\n`); None at the end of the stream.
    ///
    /// *Waits* until it is complete. *Interrupted* by cancellation and timeouts: it is not lost, but comes next.
    ///
    /// # Errors
    ///
    /// As for [`Stream::read_line`].
    ///
    /// See [`Stream::lines`] for an example.
    #[track_caller]
    // It is no iterator: it waits.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> NextLine<'_, S> {
        self.stream.reading = Waiting::new();
        NextLine {
            stream: self.stream,
            search: Search::new(b'\n', Location::caller()),
        }
    }
}

/// The operation of [`Lines::next`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct NextLine<'a, S> {
    stream: &'a mut Stream<S>,
    search: Search,
}

impl<S: Readable> Future for NextLine<'_, S> {
    type Output = Option<Result<String>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<String>>> {
        let NextLine { stream, search } = &mut *self;
        let len = match ready!(search.poll(stream, cx)) {
            Ok(0) => return Poll::Ready(None),
            Ok(len) => len,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        let line = text_without_end(&stream.buffer.filled()[..len]);
        if line.is_ok() {
            stream.buffer.consume(len);
        }
        Poll::Ready(Some(line))
    }
}
