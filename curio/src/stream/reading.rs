//! Reading amounts: what is there, so many bytes, everything.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::Stream;
use super::buffer::SIZE;
use crate::error::Result;
use crate::net::bytes::{Readable, ended};
use crate::traps::{Waiting, poll_budget};

impl<S: Readable> Stream<S> {
    /// Takes from the buffer, or reads once.
    pub(crate) fn poll_read_once(
        &mut self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        if self.buffer.is_empty() {
            if buf.len() >= SIZE || buf.is_empty() {
                return self.io.poll_read(buf, waiting, cx, place);
            }
            ready!(self.buffer.poll_fill(&self.io, waiting, cx, place))?;
        } else {
            ready!(poll_budget(cx));
        }
        Poll::Ready(Ok(self.buffer.take(buf)))
    }
}

/// The operation of [`Stream::read`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Read<'a, S> {
    stream: &'a mut Stream<S>,
    buf: &'a mut [u8],
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S> Read<'a, S> {
    pub(super) fn new(
        stream: &'a mut Stream<S>,
        buf: &'a mut [u8],
        place: &'static Location<'static>,
    ) -> Self {
        stream.reading = Waiting::new();
        Read {
            stream,
            buf,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Readable> Future for Read<'_, S> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Read {
            stream,
            buf,
            waiting,
            place,
        } = &mut *self;
        stream.poll_read_once(buf, waiting, cx, place)
    }
}

/// The operation of [`Stream::read_exact`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadExact<'a, S> {
    stream: &'a mut Stream<S>,
    buf: &'a mut [u8],
    /// What is to be put back if it does not complete (T1).
    done: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S> ReadExact<'a, S> {
    pub(super) fn new(
        stream: &'a mut Stream<S>,
        buf: &'a mut [u8],
        place: &'static Location<'static>,
    ) -> Self {
        stream.reading = Waiting::new();
        ReadExact {
            stream,
            buf,
            done: 0,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Readable> Future for ReadExact<'_, S> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        while this.done < this.buf.len() {
            let rest = &mut this.buf[this.done..];
            let read = ready!(
                this.stream
                    .poll_read_once(rest, &mut this.waiting, cx, this.place)
            );
            let error = match read {
                Ok(0) => ended(),
                Ok(n) => {
                    this.done += n;
                    continue;
                }
                Err(error) => error,
            };
            // What it has goes back when it is dropped: nobody can use the stream before.
            return Poll::Ready(Err(error));
        }
        if this.done == 0 {
            ready!(poll_budget(cx));
        }
        this.done = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for ReadExact<'_, S> {
    fn drop(&mut self) {
        if self.done > 0 {
            self.stream.buffer.put_back(&self.buf[..self.done]);
        }
    }
}

/// The operation of [`Stream::read_to_end`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadToEnd<'a, S> {
    stream: &'a mut Stream<S>,
    out: &'a mut Vec<u8>,
    done: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S> ReadToEnd<'a, S> {
    pub(super) fn new(
        stream: &'a mut Stream<S>,
        out: &'a mut Vec<u8>,
        place: &'static Location<'static>,
    ) -> Self {
        stream.reading = Waiting::new();
        ReadToEnd {
            stream,
            out,
            done: 0,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Readable> Future for ReadToEnd<'_, S> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let ReadToEnd {
            stream,
            out,
            done,
            waiting,
            place,
        } = &mut *self;
        loop {
            let Stream { io, buffer, .. } = &mut **stream;
            let n = buffer.filled().len();
            out.extend_from_slice(buffer.filled());
            buffer.consume(n);
            *done += n;
            match ready!(buffer.poll_fill(io, waiting, cx, place)) {
                Ok(0) => return Poll::Ready(Ok(*done)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
    }
}
