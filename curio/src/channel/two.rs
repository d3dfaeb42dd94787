//! What reads from one and writes to another.

use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use crate::error::Result;
use crate::net::bytes::sealed::Sealed;
use crate::net::bytes::{Readable, Transport, Writable};
use crate::traps::Waiting;

/// The link of [`Connection::over`](super::Connection::over).
#[derive(Debug)]
pub(super) struct Two<R, W> {
    pub(super) reader: R,
    pub(super) writer: W,
}

impl<R, W> Sealed for Two<R, W> {}

impl<R: Readable, W: Writable> Transport for Two<R, W> {
    fn close(&self) -> Result<()> {
        let written = self.writer.close();
        self.reader.close().and(written)
    }
}

impl<R: Readable, W: Writable> Readable for Two<R, W> {
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.reader.poll_read(buf, waiting, cx, place)
    }
}

impl<R: Readable, W: Writable> Writable for Two<R, W> {
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.writer.poll_write(buf, waiting, cx, place)
    }

    fn finish(&self) -> Result<()> {
        self.writer.finish()
    }

    fn poll_flush(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        self.writer.poll_flush(waiting, cx, place)
    }
}
