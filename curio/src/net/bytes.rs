//! Streams of bytes: what can be read and written, and the operations that do it.
//!
//! A TCP connection, a Unix connection and a pipe differ in how they are made. Once there, all are read and written in
//! the same way, so the loops are here, once, and so are they for what is built on top: a reference to a socket, the halves of a
//! stream, [`SocketStream`](crate::stream::SocketStream).

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use crate::error::{Error, Result};
use crate::traps::{Waiting, apart, poll_budget};

/// What carries bytes: [`TcpStream`](super::TcpStream), `UnixStream`, the descriptor of a pipe, and references to them.
///
/// This and its kin cannot be implemented outside of this crate.
pub trait Transport: fmt::Debug + sealed::Sealed {
    /// Closes it, for whoever uses it.
    #[doc(hidden)]
    fn close(&self) -> Result<()>;
}

/// A [`Transport`] that can be read.
pub trait Readable: Transport {
    /// Reads what is there into `buf`, and waits if there is nothing; 0 at the end.
    #[doc(hidden)]
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>;
}

/// A [`Transport`] that can be written.
pub trait Writable: Transport {
    /// Writes as much of `buf` as is taken, and waits if nothing is.
    #[doc(hidden)]
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>;

    /// Tells the peer that nothing more comes, if that can be said at once.
    #[doc(hidden)]
    fn finish(&self) -> Result<()>;

    /// Waits until all that was taken is with the system. For sockets it is, always.
    #[doc(hidden)]
    #[inline]
    fn poll_flush(
        &self,
        _: &mut Waiting,
        _: &mut TaskContext<'_>,
        _: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Tells the peer that nothing more comes, after all that was taken.
    #[doc(hidden)]
    fn poll_finish(
        &self,
        _: &mut Waiting,
        _: &mut TaskContext<'_>,
        _: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        Poll::Ready(self.finish())
    }
}

pub(crate) mod sealed {
    /// So that methods can be added later.
    pub trait Sealed {}
}

/// A stream is borrowed by borrowing what it is.
impl<S: sealed::Sealed + ?Sized> sealed::Sealed for &S {}

impl<S: Transport + ?Sized> Transport for &S {
    fn close(&self) -> Result<()> {
        (**self).close()
    }
}

impl<S: Readable + ?Sized> Readable for &S {
    #[inline]
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        (**self).poll_read(buf, waiting, cx, place)
    }
}

impl<S: Writable + ?Sized> Writable for &S {
    #[inline]
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        (**self).poll_write(buf, waiting, cx, place)
    }

    fn finish(&self) -> Result<()> {
        (**self).finish()
    }

    #[inline]
    fn poll_flush(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        (**self).poll_flush(waiting, cx, place)
    }

    fn poll_finish(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        (**self).poll_finish(waiting, cx, place)
    }
}

/// The operation of `read`: of [`TcpStream`](super::TcpStream::read), of `UnixStream`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Read<'a, S> {
    stream: &'a S,
    buf: &'a mut [u8],
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Readable> Read<'a, S> {
    #[inline]
    pub(crate) fn new(stream: &'a S, buf: &'a mut [u8], place: &'static Location<'static>) -> Self {
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

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Read {
            stream,
            buf,
            waiting,
            place,
        } = &mut *self;
        stream.poll_read(buf, waiting, cx, place)
    }
}

/// The operation of `read_exact`: of [`TcpStream`](super::TcpStream::read_exact), of `UnixStream`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadExact<'a, S> {
    stream: &'a S,
    buf: &'a mut [u8],
    done: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Readable> ReadExact<'a, S> {
    #[inline]
    pub(crate) fn new(stream: &'a S, buf: &'a mut [u8], place: &'static Location<'static>) -> Self {
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

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let ReadExact {
            stream,
            buf,
            done,
            waiting,
            place,
        } = &mut *self;
        while *done < buf.len() {
            match ready!(stream.poll_read(&mut buf[*done..], waiting, cx, place)) {
                Ok(0) => return Poll::Ready(Err(ended())),
                Ok(n) => *done += n,
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
        if *done == 0 {
            ready!(poll_budget(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// The stream has ended in the middle of what was to be read.
pub(crate) fn ended() -> Error {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

/// The operation of `write`: of [`TcpStream`](super::TcpStream::write), of `UnixStream`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Write<'a, S> {
    stream: &'a S,
    buf: &'a [u8],
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Writable> Write<'a, S> {
    #[inline]
    pub(crate) fn new(stream: &'a S, buf: &'a [u8], place: &'static Location<'static>) -> Self {
        Write {
            stream,
            buf,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Writable> Future for Write<'_, S> {
    type Output = Result<usize>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let Write {
            stream,
            buf,
            waiting,
            place,
        } = &mut *self;
        stream.poll_write(buf, waiting, cx, place)
    }
}

/// The operation of `write_all`: of [`TcpStream`](super::TcpStream::write_all), of `UnixStream`, of the streams with a
/// buffer.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct WriteAll<'a, S> {
    pub(crate) stream: &'a S,
    pub(crate) buf: &'a [u8],
    /// How much was written, as long as it is not everything.
    pub(crate) done: usize,
    pub(crate) waiting: Waiting,
    pub(crate) place: &'static Location<'static>,
}

impl<'a, S: Writable> WriteAll<'a, S> {
    #[inline]
    pub(crate) fn new(stream: &'a S, buf: &'a [u8], place: &'static Location<'static>) -> Self {
        WriteAll {
            stream,
            buf,
            done: 0,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Writable> Future for WriteAll<'_, S> {
    type Output = Result<()>;

    /// Nearly always everything is taken at once.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let WriteAll {
            stream,
            buf,
            done,
            waiting,
            place,
        } = &mut *self;
        if *done > 0 || buf.is_empty() {
            return apart(self.go_on(cx));
        }
        let n = match stream.poll_write(buf, waiting, cx, place) {
            Poll::Ready(Ok(n)) => n,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        if n < buf.len() {
            return apart(self.go_on_after(n, cx));
        }
        match stream.poll_flush(waiting, cx, place) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
            flushed => {
                *done = n;
                flushed.map_err(|error| error.after_bytes(n))
            }
        }
    }
}

impl<S: Writable> WriteAll<'_, S> {
    /// Not everything was taken at once.
    #[cold]
    #[inline(never)]
    fn go_on_after(&mut self, n: usize, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if n == 0 {
            return Poll::Ready(Err(nothing_taken()));
        }
        self.done = n;
        self.go_on(cx)
    }

    /// Something has been taken already, or there is nothing to be written.
    #[cold]
    #[inline(never)]
    fn go_on(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let WriteAll {
            stream,
            buf,
            done,
            waiting,
            place,
        } = self;
        while *done < buf.len() {
            match ready!(stream.poll_write(&buf[*done..], waiting, cx, place)) {
                Ok(0) => return Poll::Ready(Err(nothing_taken())),
                Ok(n) => *done += n,
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
        if *done == 0 {
            ready!(poll_budget(cx));
        }
        let flushed = ready!(stream.poll_flush(waiting, cx, place));
        Poll::Ready(flushed.map_err(|error| error.after_bytes(*done)))
    }
}

fn nothing_taken() -> Error {
    io::Error::from(io::ErrorKind::WriteZero).into()
}

/// The operation of `flush`: of the streams with a buffer, of `TlsStream`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Flush<'a, S> {
    stream: &'a S,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Writable> Flush<'a, S> {
    pub(crate) fn new(stream: &'a S, place: &'static Location<'static>) -> Self {
        Flush {
            stream,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Writable> Future for Flush<'_, S> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !self.waiting.is_waiting() {
            ready!(poll_budget(cx));
        }
        let Flush {
            stream,
            waiting,
            place,
        } = &mut *self;
        stream.poll_flush(waiting, cx, place)
    }
}

/// The operation of `shutdown` where that may take a while: of the streams with a buffer, of `TlsStream`.
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Finish<'a, S> {
    stream: &'a S,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Writable> Finish<'a, S> {
    pub(crate) fn new(stream: &'a S, place: &'static Location<'static>) -> Self {
        Finish {
            stream,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S: Writable> Future for Finish<'_, S> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !self.waiting.is_waiting() {
            ready!(poll_budget(cx));
        }
        let Finish {
            stream,
            waiting,
            place,
        } = &mut *self;
        stream.poll_finish(waiting, cx, place)
    }
}
