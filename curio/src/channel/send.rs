//! Sending (C2, C3).
//!
//! A message is in two pieces: the head with what stands right behind it, which is ours, and the rest, which is the caller's.
//! A short message is all head, so it goes out in one system call, and one packet; a long one is not copied.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use serde::Serialize;

use super::connection::Connection;
use super::pickle;
use crate::error::{Busy, Error, Result};
use crate::traps::{Waiting, poll_budget};

/// Bytes up to here are copied behind the head.
const COPIED: usize = 16 * 1024;

/// What is left of a message that has begun (C2).
#[derive(Default)]
pub(super) struct Outbox {
    rest: Vec<u8>,
    done: usize,
}

impl Outbox {
    /// Sends the rest.
    fn poll_flush(
        &mut self,
        connection: &Connection,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<()>> {
        while self.done < self.rest.len() {
            self.done += ready!(poll_write(
                connection,
                &self.rest[self.done..],
                waiting,
                cx,
                place
            ))?;
        }
        *self = Outbox::default();
        Poll::Ready(Ok(()))
    }
}

fn poll_write(
    connection: &Connection,
    bytes: &[u8],
    waiting: &mut Waiting,
    cx: &mut TaskContext<'_>,
    place: &'static Location<'static>,
) -> Poll<Result<usize>> {
    Poll::Ready(
        match ready!(connection.link.poll_write(bytes, waiting, cx, place)) {
            Ok(0) => Err(io::Error::from(io::ErrorKind::WriteZero).into()),
            written => written,
        },
    )
}

/// The head of a message of this length.
fn head(length: usize) -> ([u8; 12], usize) {
    let mut head = [0xff; 12];
    match i32::try_from(length) {
        Ok(short) => {
            head[..4].copy_from_slice(&short.to_be_bytes());
            (head, 4)
        }
        Err(_) => {
            head[4..].copy_from_slice(&(length as u64).to_be_bytes());
            (head, 12)
        }
    }
}

/// The operation of [`Connection::send`] and [`Connection::send_bytes`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Send<'a> {
    sending: Sending<'a>,
    first: Vec<u8>,
    rest: &'a [u8],
    /// How much of both is sent.
    done: usize,
    /// The value cannot be sent.
    bad: Option<Error>,
}

impl<'a> Send<'a> {
    pub(super) fn value<T: Serialize + ?Sized>(
        connection: &'a Connection,
        value: &T,
        place: &'static Location<'static>,
    ) -> Send<'a> {
        let mut send = Send::new(connection, place);
        // Room for the shorter head. The longer one is for values of gigabytes.
        send.first.extend([0; 4]);
        if let Err(bad) = pickle::write(value, &mut send.first) {
            let text = format!("the value cannot be sent: {bad}");
            send.bad = Some(Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        let (head, size) = head(send.first.len() - 4);
        send.first.splice(..4, head[..size].iter().copied());
        send
    }

    pub(super) fn bytes(
        connection: &'a Connection,
        bytes: &'a [u8],
        place: &'static Location<'static>,
    ) -> Send<'a> {
        let mut send = Send::new(connection, place);
        let (head, size) = head(bytes.len());
        let (copied, rest) = if bytes.len() <= COPIED {
            (bytes, &[][..])
        } else {
            bytes.split_at(COPIED)
        };
        send.first = [&head[..size], copied].concat();
        send.rest = rest;
        send
    }

    fn new(connection: &'a Connection, place: &'static Location<'static>) -> Send<'a> {
        Send {
            sending: Sending::new(connection, place),
            first: Vec::new(),
            rest: &[],
            done: 0,
            bad: None,
        }
    }

    /// The message is out of our hands. What is left of it, if it has begun, is kept (C2).
    fn finish(&mut self) {
        let (first, rest) = (std::mem::take(&mut self.first), std::mem::take(&mut self.rest));
        let done = std::mem::take(&mut self.done);
        if let Some(outbox) = &mut self.sending.outbox
            && 0 < done
            && done < first.len() + rest.len()
        {
            let (next, last) = left(&first, rest, done);
            outbox.rest = [next, last].concat();
        }
        self.sending.give_back();
    }
}

/// What is not sent yet, in two pieces.
fn left<'a>(first: &'a [u8], rest: &'a [u8], done: usize) -> (&'a [u8], &'a [u8]) {
    match done.checked_sub(first.len()) {
        None => (&first[done..], rest),
        Some(done) => (&rest[done..], &[]),
    }
}

impl Future for Send<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        let sent = ready!(this.poll_sent(cx)).map_err(|error| error.after_bytes(this.done));
        this.finish();
        Poll::Ready(sent)
    }
}

impl Send<'_> {
    fn poll_sent(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.bad.is_some() {
            ready!(poll_budget(cx));
        }
        if let Some(bad) = self.bad.take() {
            return Poll::Ready(Err(bad));
        }
        ready!(self.sending.poll_turn(cx))?;
        loop {
            let (next, _) = left(&self.first, self.rest, self.done);
            if next.is_empty() {
                return self.sending.poll_link(cx);
            }
            let Sending {
                connection,
                waiting,
                place,
                ..
            } = &mut self.sending;
            self.done += ready!(poll_write(connection, next, waiting, cx, place))?;
        }
    }
}

impl Drop for Send<'_> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The operation of [`Connection::flush`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Flush<'a> {
    sending: Sending<'a>,
}

impl<'a> Flush<'a> {
    pub(super) fn new(connection: &'a Connection, place: &'static Location<'static>) -> Flush<'a> {
        Flush {
            sending: Sending::new(connection, place),
        }
    }
}

impl Flush<'_> {
    fn poll_flushed(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if !self.sending.waiting.is_waiting() {
            ready!(poll_budget(cx));
        }
        ready!(self.sending.poll_turn(cx))?;
        self.sending.poll_link(cx)
    }
}

impl Future for Flush<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let flushed = ready!(self.poll_flushed(cx));
        self.sending.give_back();
        Poll::Ready(flushed)
    }
}

/// The part that is the same in both.
struct Sending<'a> {
    connection: &'a Connection,
    /// It is taken by the first poll (C3).
    outbox: Option<Outbox>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl<'a> Sending<'a> {
    fn new(connection: &'a Connection, place: &'static Location<'static>) -> Sending<'a> {
        Sending {
            connection,
            outbox: None,
            waiting: Waiting::new(),
            place,
        }
    }

    /// Sends what was left of the message before, so that it is this one's turn.
    fn poll_turn(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        if self.connection.closed.get() {
            ready!(poll_budget(cx));
            self.waiting.complete();
            return Poll::Ready(Err(Error::Closed));
        }
        if self.outbox.is_none() {
            self.outbox = self.connection.outbox.take();
        }
        match &mut self.outbox {
            Some(outbox) => outbox.poll_flush(self.connection, &mut self.waiting, cx, self.place),
            None => {
                ready!(poll_budget(cx));
                Poll::Ready(Err(Error::Busy(Busy::Writer)))
            }
        }
    }

    /// TLS may have taken a message that the system has no room for yet; what is left of that goes out ahead of the next as well.
    fn poll_link(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let Sending {
            connection,
            waiting,
            place,
            ..
        } = self;
        connection.link.poll_flush(waiting, cx, place)
    }

    fn give_back(&mut self) {
        if let Some(outbox) = self.outbox.take() {
            self.connection.outbox.set(Some(outbox));
        }
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl std::fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sending")
            .field("connection", self.connection)
            .field("waits", &self.waiting.is_waiting())
            .finish()
    }
}
