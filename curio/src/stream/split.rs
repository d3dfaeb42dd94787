//! A stream in two halves, for two tasks.

use std::cell::Cell;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use super::Stream;
use crate::error::Result;
use crate::net::bytes::{Readable, Transport, Writable, sealed::Sealed};
use crate::traps::Waiting;

impl<S: Readable + Writable> Stream<S> {
    /// Splits it in one half that reads and one that writes, for two tasks.
    ///
    /// What is in the buffer goes with the half that reads. The socket is closed when both halves are closed, or both dropped; to tell
    /// the peer earlier that nothing more comes, [`close`](Stream::close) the half that writes.
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// use curio::{run, spawn};
    ///
    /// run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let (mut read, mut write) = one.into_stream().split();
    ///     let reader = spawn(async move {
    ///         let mut answer = String::new();
    ///         read.read_line(&mut answer).await?;
    ///         Ok(answer)
    ///     });
    ///     write.write_all(b"question\n").await?;
    ///     write.close()?;
    ///     let mut two = two.into_stream();
    ///     two.read_to_end(&mut Vec::new()).await?;
    ///     two.write_all(b"answer\n").await?;
    ///     assert_eq!(reader.join().await?, "answer\n");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn split(self) -> (Stream<ReadHalf<S>>, Stream<WriteHalf<S>>) {
        let io = Rc::new(Both {
            io: self.io,
            closed: Cell::new(None),
        });
        let mut read = Stream::new(ReadHalf(io.clone()));
        read.buffer = self.buffer;
        read.line_limit = self.line_limit;
        (read, Stream::new(WriteHalf(io)))
    }
}

/// What the reading half of a stream reads from.
#[derive(Debug)]
pub struct ReadHalf<S>(Rc<Both<S>>);

/// What the writing half of a stream writes to.
#[derive(Debug)]
pub struct WriteHalf<S>(Rc<Both<S>>);

/// What the halves have in common.
#[derive(Debug)]
struct Both<S> {
    io: S,
    /// The half that was closed first.
    closed: Cell<Option<Half>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Read,
    Write,
}

impl<S> Deref for Both<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.io
    }
}

impl<S: Transport> Both<S> {
    /// One half is closed. If the other is, too, nobody is left to use what is below, but for those who wait for it.
    fn close(&self, half: Half) -> Result<()> {
        match self.closed.get() {
            Some(first) if first != half => self.io.close(),
            _ => {
                self.closed.set(Some(half));
                Ok(())
            }
        }
    }
}

impl<S> ReadHalf<S> {
    /// The socket.
    pub fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S> WriteHalf<S> {
    /// The socket.
    pub fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S> Sealed for ReadHalf<S> {}
impl<S> Sealed for WriteHalf<S> {}

impl<S: Readable> Transport for ReadHalf<S> {
    fn close(&self) -> Result<()> {
        self.0.close(Half::Read)
    }
}

impl<S: Writable> Transport for WriteHalf<S> {
    fn close(&self) -> Result<()> {
        let finished = self.0.finish();
        self.0.close(Half::Write).and(finished)
    }
}

impl<S: Readable> Readable for ReadHalf<S> {
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.0.poll_read(buf, waiting, cx, place)
    }
}

impl<S: Writable> Writable for WriteHalf<S> {
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.0.poll_write(buf, waiting, cx, place)
    }

    fn finish(&self) -> Result<()> {
        self.0.finish()
    }

    fn poll_flush(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        self.0.poll_flush(waiting, cx, place)
    }

    fn poll_finish(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        self.0.poll_finish(waiting, cx, place)
    }
}
