//! Streams as the futures crates know them.
//!
//! Their operations are made of calls of `poll_read` and the like, which have no object and no drop: nobody tells when one
//! is given up. So the stream itself holds the wait of each direction, from call to call, and:
//!
//! - an interruption that was delivered before the present run of the task is none of its business (`Waiting::renew`);
//! - a method of the stream takes the place of a call that was given up.
//!
//! A wait that was given up remains until the stream is used again, taken apart or dropped. It holds up nobody: an interruption
//! passes by an operation that is not polled (`interrupt`, D6). The task runs once too often when the socket becomes ready,
//! which a future must bear anyway; the reports show the wait; and what goes around the stream, through `get_ref`, finds the
//! seat taken. (To take it off at the end of the run in which it was woken, the kernel would have to look after each run of
//! each task. That costs those who wait as one should more than this costs the others.)

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::Stream;
use crate::net::bytes::{Readable, Writable};

impl<S: Readable + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = {
            let available = ready!(self.as_mut().poll_fill_buf(cx))?;
            let n = buf.len().min(available.len());
            buf[..n].copy_from_slice(&available[..n]);
            n
        };
        self.consume(read);
        Poll::Ready(Ok(read))
    }
}

impl<S: Readable + Unpin> AsyncBufRead for Stream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<&[u8]>> {
        let Stream {
            io,
            buffer,
            reading,
            place,
            ..
        } = self.get_mut();
        if buffer.is_empty() {
            reading.renew();
            ready!(buffer.poll_fill(io, reading, cx, place))?;
        }
        Poll::Ready(Ok(buffer.filled()))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let buffer = &mut self.get_mut().buffer;
        buffer.consume(n.min(buffer.filled().len()));
    }
}

impl<S: Writable + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Stream {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_write(buf, writing, cx, place).map_err(Into::into)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let Stream {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_flush(writing, cx, place).map_err(Into::into)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let Stream {
            io, writing, place, ..
        } = self.get_mut();
        writing.renew();
        io.poll_finish(writing, cx, place).map_err(Into::into)
    }
}
