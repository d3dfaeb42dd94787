//! Talking to a child: giving it its input while reading what it says, on both streams, until it has closed them and ended.
//!
//! All of it at once, or both sides would wait for each other: a pipe holds 64 KiB, and a child that cannot get rid of its
//! errors does not read its input.

use std::panic::Location;
use std::task::{Context as TaskContext, Poll, ready};

use super::PROCESS_WAIT;
use super::child::Child;
use super::reaper::Seat;
use crate::context::{self, Outside};
use crate::error::{Error, Result};
use crate::net::bytes::Writable;
use crate::stream::FileStream;
use crate::traps::{Waiting, poll_budget};

use std::process::ExitStatus;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;

/// How much is taken of the output of a child that has ended. A pipe holds less, unless somebody has enlarged it.
const REST: usize = 1024 * 1024;

/// The state of one conversation, without the child and the input.
#[derive(Debug)]
pub(super) struct Talk {
    /// How much of the input the child has been given.
    pub(super) written: usize,
    /// A child may end without having read it all, and that is no fault.
    forgiving: bool,
    input: Waiting,
    output: Waiting,
    errors: Waiting,
    end: End,
}

impl Talk {
    pub(super) fn new(child: &Child, forgiving: bool, place: &'static Location<'static>) -> Talk {
        Talk {
            written: 0,
            forgiving,
            input: Waiting::new(),
            output: Waiting::new(),
            errors: Waiting::new(),
            end: End::new(child.seat(), place),
        }
    }

    /// The status, when all has been said. What was read is in the child (C4).
    pub(super) fn poll(
        &mut self,
        child: &mut Child,
        input: &[u8],
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<ExitStatus>> {
        let mut chunk = [0; CHUNK];
        let place = self.end.place;
        // By turns, so that none of the three keeps the others from going on.
        loop {
            let mut moved = false;
            match self.poll_write(child, input, cx) {
                Poll::Ready(Ok(more)) => moved |= more,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            let (output, errors) = &mut child.collected;
            for (stream, into, waiting) in [
                (&mut child.stdout, output, &mut self.output),
                (&mut child.stderr, errors, &mut self.errors),
            ] {
                match poll_read(stream, &mut chunk, into, waiting, cx, place) {
                    Poll::Ready(Ok(more)) => moved |= more,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            if !moved {
                break;
            }
        }
        if child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none() {
            ready!(poll_budget(cx));
            return self.end.poll(cx);
        }
        // Nor is it at an end if there is always something to read: it looks for interruptions each time.
        match self.end.wait(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Writes once. False: there is nothing more to write.
    fn poll_write(
        &mut self,
        child: &mut Child,
        input: &[u8],
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<bool>> {
        let Some(stdin) = &child.stdin else {
            return Poll::Ready(Ok(false));
        };
        let rest = &input[self.written..];
        if !rest.is_empty() {
            match stdin
                .get_ref()
                .poll_write(rest, &mut self.input, cx, self.end.place)
            {
                Poll::Ready(Ok(n)) => self.written += n,
                Poll::Ready(Err(error)) if !self.forgives(&error) => return Poll::Ready(Err(error)),
                Poll::Ready(Err(_)) => self.written = input.len(),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.written == input.len() {
            child.stdin = None;
        }
        Poll::Ready(Ok(child.stdin.is_some()))
    }

    fn forgives(&self, error: &Error) -> bool {
        self.forgiving && matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// Reads once. False: there is nothing more to read.
fn poll_read(
    stream: &mut Option<FileStream>,
    chunk: &mut [u8],
    into: &mut Vec<u8>,
    waiting: &mut Waiting,
    cx: &mut TaskContext<'_>,
    place: &'static Location<'static>,
) -> Poll<Result<bool>> {
    let Some(open) = stream else {
        return Poll::Ready(Ok(false));
    };
    open.poll_read_once(chunk, waiting, cx, place).map_ok(|n| {
        into.extend_from_slice(&chunk[..n]);
        if n == 0 {
            *stream = None;
        }
        n > 0
    })
}

/// Reads what is there now, of a child that has ended. Not to the end: others may hold the pipe open, and go on writing.
pub(super) fn read_rest(stream: &mut Option<FileStream>, into: &mut Vec<u8>) {
    let Some(stream) = stream.take() else { return };
    let mut chunk = [0; CHUNK];
    into.extend_from_slice(stream.buffered());
    let limit = into.len() + REST;
    while into.len() < limit
        && let Ok(n @ 1..) = stream.get_ref().read_now(&mut chunk)
    {
        into.extend_from_slice(&chunk[..n]);
    }
}

/// Somebody waits for the end of a child. On the virtual clock, time stands still meanwhile.
#[derive(Debug)]
pub(super) struct End {
    seat: Seat,
    waiting: Waiting,
    outside: Option<Outside>,
    pub(super) place: &'static Location<'static>,
}

impl End {
    pub(super) fn new(seat: Seat, place: &'static Location<'static>) -> End {
        End {
            seat,
            waiting: Waiting::new(),
            outside: None,
            place,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<ExitStatus>> {
        if let Poll::Ready(status) = self.seat.poll(cx) {
            self.waiting.complete();
            self.outside = None;
            return Poll::Ready(status);
        }
        match self.wait(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// An interruption, if there is one.
    fn wait(&mut self, cx: &mut TaskContext<'_>) -> Result<()> {
        let waits = self.waiting.wait(cx, PROCESS_WAIT, self.place);
        match &waits {
            Ok(()) if self.outside.is_none() => {
                self.outside = context::with_task(|context, _| Ok(context.begin_outside())).ok();
            }
            Ok(()) => {}
            Err(_) => {
                self.seat.leave();
                self.outside = None;
            }
        }
        waits
    }
}
