//! Writing many pieces.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use crate::error::Result;
use crate::net::bytes::{Writable, WriteAll};
use crate::traps::{Label, Waiting};

/// Pieces are gathered until they are so many bytes.
const CHUNK: usize = 8 * 1024;

/// How often it goes on that it has only run out of budget, before it asks whether it is interrupted. A task that asks never
/// is dropped at last (`interrupt`, D6), and then nobody would know how much was written.
const MAX_ROUNDS: u8 = 32;

/// The operation of [`Stream::write_lines`](super::Stream::write_lines).
#[must_use = "it does nothing unless it is awaited"]
pub struct WriteLines<'a, S, I> {
    io: &'a S,
    lines: I,
    chunk: Vec<u8>,
    /// How much of the chunk is written, and how much of those before.
    done: usize,
    before: usize,
    rounds: u8,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a, S: Writable, I> WriteLines<'a, S, I> {
    pub(super) fn new(io: &'a S, lines: I, place: &'static Location<'static>) -> Self {
        WriteLines {
            io,
            lines,
            chunk: Vec::new(),
            done: 0,
            before: 0,
            rounds: 0,
            waiting: Waiting::new(),
            place,
        }
    }
}

impl<S, I> WriteLines<'_, S, I> {
    /// The chunk is not yet written: because the peer does not take it, or because the budget is spent.
    fn poll_interruption(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.rounds = if self.waiting.is_waiting() {
            0
        } else {
            self.rounds + 1
        };
        if self.rounds < MAX_ROUNDS {
            return Poll::Pending;
        }
        self.rounds = 0;
        let asked = self.waiting.wait(cx, Label::WRITE_WAIT, self.place);
        self.waiting.complete();
        match asked {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

// The iterator is not pinned.
impl<S, I> Unpin for WriteLines<'_, S, I> {}

impl<S, I> Future for WriteLines<'_, S, I>
where
    S: Writable,
    I: Iterator<Item: AsRef<[u8]>>,
{
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        loop {
            // The buffer is ours, so the operation on it lasts for this poll only.
            let mut write = WriteAll {
                stream: this.io,
                buf: &this.chunk,
                done: this.done,
                waiting: std::mem::take(&mut this.waiting),
                place: this.place,
            };
            let written = Pin::new(&mut write).poll(cx);
            this.done = write.done;
            this.waiting = std::mem::take(&mut write.waiting);
            let written = match written {
                Poll::Ready(written) => written,
                Poll::Pending => ready!(this.poll_interruption(cx)),
            };
            if let Err(error) = written {
                return Poll::Ready(Err(error.after_bytes(this.before + this.done)));
            }
            this.before += this.chunk.len();
            this.done = 0;
            this.chunk.clear();
            while this.chunk.len() < CHUNK
                && let Some(line) = this.lines.next()
            {
                this.chunk.extend_from_slice(line.as_ref());
            }
            if this.chunk.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: fmt::Debug, I> fmt::Debug for WriteLines<'_, S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteLines")
            .field("io", &self.io)
            .field("written", &(self.before + self.done))
            .finish()
    }
}
