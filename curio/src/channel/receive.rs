//! Receiving (C1, C3, C4, C5).

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use serde::de::DeserializeOwned;

use super::connection::Connection;
use super::pickle;
use crate::error::{Busy, Error, Result};
use crate::stream::buffer::Buffer;
use crate::traps::{Waiting, poll_budget};

/// What has come, and was not received yet.
#[derive(Default)]
pub(super) struct Inbox {
    buffer: Buffer,
    /// C4.
    broken: Option<Broken>,
}

/// How the peer has broken the protocol.
#[derive(Clone, Copy)]
enum Broken {
    Negative(i32),
    TooLong(u64, usize),
}

/// The length of a message, and where it begins.
struct Head {
    begin: usize,
    length: u64,
}

/// Looks for the length; `None` if it has not come yet.
fn head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let Some((short, rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    match i32::from_be_bytes(*short) {
        -1 => Ok(rest.first_chunk().map(|long| Head {
            begin: 12,
            length: u64::from_be_bytes(*long),
        })),
        length => match u64::try_from(length) {
            Ok(length) => Ok(Some(Head { begin: 4, length })),
            Err(_) => Err(Broken::Negative(length)),
        },
    }
}

/// The part that is the same in all operations that receive.
pub(super) struct Receiving<'a> {
    connection: &'a Connection,
    /// It is taken by the first poll (C3).
    inbox: Option<Inbox>,
    /// How long a message may be, if not as long as the connection says.
    limit: Option<usize>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

/// Where a message is in the buffer.
struct Found {
    begin: usize,
    end: usize,
}

impl<'a> Receiving<'a> {
    fn new(connection: &'a Connection, limit: Option<usize>, place: &'static Location<'static>) -> Self {
        Receiving {
            connection,
            inbox: None,
            limit,
            waiting: Waiting::new(),
            place,
        }
    }

    /// Waits for a message and gives `f` a look at it. If that is content, it is gone. `None` at the end.
    fn poll<R>(
        &mut self,
        cx: &mut TaskContext<'_>,
        f: impl FnOnce(&[u8], usize) -> Result<R>,
    ) -> Poll<Result<Option<R>>> {
        if self.inbox.is_none() {
            self.inbox = self.connection.inbox.take();
        }
        let Some(mut inbox) = self.inbox.take() else {
            ready!(poll_budget(cx));
            return Poll::Ready(Err(Error::Busy(Busy::Reader)));
        };
        let limit = self.limit.unwrap_or_else(|| self.connection.limit.get());
        let found = self.poll_message(&mut inbox, limit, cx);
        let inbox = self.inbox.insert(inbox);
        let received = ready!(found).and_then(|found| {
            let Some(Found { begin, end }) = found else {
                return Ok(None);
            };
            let received = f(&inbox.buffer.filled()[begin..end], limit);
            if !matches!(&received, Err(Error::Io(error)) if error.kind() == io::ErrorKind::InvalidInput) {
                inbox.buffer.consume(end);
            }
            received.map(Some)
        });
        self.give_back();
        Poll::Ready(received)
    }

    fn poll_message(
        &mut self,
        inbox: &mut Inbox,
        limit: usize,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<Option<Found>>> {
        let mut read = false;
        if self.connection.closed.get() {
            ready!(poll_budget(cx));
            self.waiting.complete();
            return Poll::Ready(Err(Error::Closed));
        }
        loop {
            if let Some(broken) = inbox.broken {
                ready!(poll_budget(cx));
                return Poll::Ready(Err(broken.error()));
            }
            let bytes = inbox.buffer.filled();
            match head(bytes) {
                Err(broken) => inbox.broken = Some(broken),
                Ok(Some(Head { length, .. })) if length > limit as u64 => {
                    inbox.broken = Some(Broken::TooLong(length, limit));
                }
                Ok(Some(Head { begin, length })) if (bytes.len() - begin) as u64 >= length => {
                    if !read {
                        ready!(poll_budget(cx));
                    }
                    let end = begin + length as usize;
                    return Poll::Ready(Ok(Some(Found { begin, end })));
                }
                Ok(_) => {
                    read = true;
                    let link = &*self.connection.link;
                    let count = ready!(inbox.buffer.poll_fill(&link, &mut self.waiting, cx, self.place))?;
                    if count == 0 {
                        return Poll::Ready(match inbox.buffer.is_empty() {
                            true => Ok(None),
                            false => Err(ended("in the middle of a message")),
                        });
                    }
                }
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            self.connection.inbox.set(Some(inbox));
        }
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn ended(when: &str) -> Error {
    let text = format!("the peer has closed the connection {when}");
    Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, text))
}

/// For those to whom the end is no news.
fn some<T>(received: Result<Option<T>>) -> Result<T> {
    received?.ok_or_else(|| ended("between messages"))
}

fn value<T: DeserializeOwned>(message: &[u8], limit: usize) -> Result<T> {
    pickle::read(message, limit).map_err(|bad| {
        let text = format!("the message cannot be received as this type: {bad}");
        Error::Io(io::Error::new(io::ErrorKind::InvalidData, text))
    })
}

impl Broken {
    fn error(self) -> Error {
        let text = match self {
            Broken::Negative(length) => format!("the peer does not talk this protocol: length {length}"),
            Broken::TooLong(length, limit) => {
                format!("the peer sends a message of {length} bytes, and the limit is {limit}")
            }
        };
        Error::Io(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl fmt::Debug for Receiving<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiving")
            .field("connection", self.connection)
            .field("waits", &self.waiting.is_waiting())
            .finish()
    }
}

/// The operation of [`Connection::recv`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Recv<'a, T> {
    receiving: Receiving<'a>,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> Recv<'a, T> {
    pub(super) fn new(connection: &'a Connection, place: &'static Location<'static>) -> Self {
        Recv {
            receiving: Receiving::new(connection, None, place),
            value: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Future for Recv<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<T>> {
        self.receiving.poll(cx, value).map(some)
    }
}

/// The operation of [`Connection::next`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Next<'a, T> {
    receiving: Receiving<'a>,
    value: PhantomData<fn() -> T>,
}

impl<'a, T> Next<'a, T> {
    pub(super) fn new(connection: &'a Connection, place: &'static Location<'static>) -> Self {
        Next {
            receiving: Receiving::new(connection, None, place),
            value: PhantomData,
        }
    }
}

impl<T: DeserializeOwned> Future for Next<'_, T> {
    type Output = Option<Result<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T>>> {
        self.receiving.poll(cx, value).map(Result::transpose)
    }
}

/// The operation of [`Connection::recv_bytes`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct RecvBytes<'a> {
    receiving: Receiving<'a>,
}

impl<'a> RecvBytes<'a> {
    pub(super) fn new(connection: &'a Connection, place: &'static Location<'static>) -> Self {
        RecvBytes {
            receiving: Receiving::new(connection, None, place),
        }
    }

    /// The same with a limit of its own.
    pub(super) fn limited(
        connection: &'a Connection,
        limit: usize,
        place: &'static Location<'static>,
    ) -> Self {
        RecvBytes {
            receiving: Receiving::new(connection, Some(limit), place),
        }
    }
}

impl Future for RecvBytes<'_> {
    type Output = Result<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Vec<u8>>> {
        self.receiving
            .poll(cx, |message, _| Ok(message.to_vec()))
            .map(some)
    }
}

/// The operation of [`Connection::recv_bytes_into`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct RecvBytesInto<'a> {
    receiving: Receiving<'a>,
    buf: &'a mut [u8],
}

impl<'a> RecvBytesInto<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        buf: &'a mut [u8],
        place: &'static Location<'static>,
    ) -> Self {
        RecvBytesInto {
            receiving: Receiving::new(connection, None, place),
            buf,
        }
    }
}

impl Future for RecvBytesInto<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let RecvBytesInto { receiving, buf } = &mut *self;
        let copied = receiving.poll(cx, |message, _| match buf.get_mut(..message.len()) {
            Some(place) => {
                place.copy_from_slice(message);
                Ok(message.len())
            }
            None => {
                let (length, room) = (message.len(), buf.len());
                let text = format!("a message of {length} bytes does not fit into a buffer of {room}");
                Err(Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text)))
            }
        });
        copied.map(some)
    }
}
