//! Readiness: which sockets can be read or written, as far as the kernel knows.
//!
//! Each source is registered once, edge-triggered, for both directions. Its bits say what may be tried: they start
//! optimistic, are set by events and cleared only when a system call has proved that there is nothing left. So most
//! operations try first and never ask the selector.
//!
//! I6. A bit is set unless a system call has proved otherwise since the last event.
//! I7. Tokens carry serials: an event for a source that was closed in the same batch is ignored.
//! I8. "Closed" is final: once the peer has shut a direction down, its bit is never cleared again.
//! I9. Only epoll and kqueue report edges by themselves. The other selectors of mio (Windows, poll) are asked again for the
//!     next event by a call that would block: a socket of mio does so by itself, for other sources we do (`ask_again`).
//!     There, nothing else proves that a socket is exhausted: who waited after a short read would wait for ever.
//! I10. A source is shared by its socket and the tables, so that an operation finds it without asking these; the tables have
//!     it exactly as long as it is not `GONE`. So long, `kernel` is the address of their kernel; then, of nothing.
//! I11. A seat is taken by the operation whose node is armed with it, and by no other. So who has the key of the seat is the
//!     one who waits, and its node is there.

use std::cell::Cell;
use std::io;
use std::ptr::NonNull;
use std::time::Duration;

use mio::event::{Event, Source as MioSource};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::context::Context;
use crate::key::Key;

/// The token of the bell (see `remote`). No source has it, because a key is never zero.
const BELL: Token = Token(0);

/// How many events are taken from the system at once.
const EVENTS: usize = 1024;

/// One of the two directions of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read = 1,
    Write = 2,
}

const READ: u8 = Direction::Read as u8;
const WRITE: u8 = Direction::Write as u8;
/// A closed direction has its bit two places further up.
const CLOSED: u32 = 2;
/// There has been urgent data. Reads stop short at its mark, so that a short read proves nothing.
const URGENT: u8 = 16;
/// The source has left the tables (I10).
const GONE: u8 = 32;

/// Whether the selector reports edges by itself (I9).
pub(crate) const EDGES: bool = cfg!(all(
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
        target_os = "illumos",
    ),
    not(mio_unsupported_force_poll_poll)
));

/// What the kernel knows of a source.
pub(crate) struct Source {
    key: Key,
    /// The kernel in whose tables it is, to be compared (I10).
    kernel: Cell<NonNull<Context>>,
    bits: Cell<u8>,
    /// The nodes of the operation that waits to read, and of the one that waits to write (I11).
    reader: Cell<Option<Key>>,
    writer: Cell<Option<Key>>,
}

impl Source {
    pub(crate) fn new(key: Key, kernel: NonNull<Context>) -> Source {
        Source {
            key,
            kernel: Cell::new(kernel),
            bits: Cell::new(READ | WRITE),
            reader: Cell::new(None),
            writer: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The kernel in whose tables it is, or nobody's address.
    #[inline]
    pub(crate) fn kernel(&self) -> NonNull<Context> {
        self.kernel.get()
    }

    /// Whether a system call may be tried.
    #[inline]
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        let bit = direction as u8;
        self.bits.get() & (bit | bit << CLOSED) != 0
    }

    /// A system call has proved that there is nothing left (I6, I8).
    #[inline]
    pub(crate) fn clear(&self, direction: Direction) {
        self.bits.set(self.bits.get() & !(direction as u8));
    }

    /// A system call has transferred less than was asked for.
    #[inline]
    pub(crate) fn short(&self, direction: Direction) {
        if EDGES && self.bits.get() & URGENT == 0 {
            self.clear(direction);
        }
    }

    /// Enters what an event says.
    #[inline]
    pub(crate) fn set(&self, bits: u8) {
        self.bits.set(self.bits.get() | bits);
    }

    /// It has left the tables: nothing can be tried any more.
    pub(crate) fn leave(&self) {
        self.bits.set(GONE);
        self.kernel.set(NonNull::dangling());
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.bits.get() == GONE
    }

    /// The operation that waits for this direction.
    #[inline]
    pub(crate) fn seat(&self, direction: Direction) -> &Cell<Option<Key>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    /// Whether anybody waits for it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.reader.get().is_some() || self.writer.get().is_some()
    }
}

/// The bits that an event sets. An error concerns both directions: whoever waits must come and fetch it.
#[inline]
fn bits(event: &Event) -> u8 {
    let bits = (u8::from(event.is_readable()) * READ) | (u8::from(event.is_writable()) * WRITE);
    if event.is_error() || event.is_priority() || event.is_read_closed() || event.is_write_closed() {
        return rare_bits(event, bits);
    }
    bits
}

#[cold]
#[inline(never)]
fn rare_bits(event: &Event, mut bits: u8) -> u8 {
    if event.is_read_closed() {
        bits |= READ | READ << CLOSED;
    }
    if event.is_write_closed() {
        bits |= WRITE | WRITE << CLOSED;
    }
    if event.is_priority() {
        bits |= READ | URGENT;
    }
    if event.is_error() {
        bits |= READ | WRITE;
    }
    bits
}

/// Whether the bits of an event concern this direction.
pub(crate) fn concerns(bits: u8, direction: Direction) -> bool {
    bits & direction as u8 != 0
}

/// The system's selector.
pub(crate) struct Selector {
    poll: Poll,
    events: Events,
}

impl Selector {
    pub(crate) fn new() -> io::Result<Selector> {
        Ok(Selector {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
        })
    }

    pub(crate) fn bell(&self) -> io::Result<mio::Waker> {
        mio::Waker::new(self.poll.registry(), BELL)
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for events; none: until there is one. A signal may end the wait early.
    #[inline(always)]
    pub(crate) fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => Ok(()),
            Err(error) => self.poll_failed(error),
        }
    }

    #[cold]
    #[inline(never)]
    fn poll_failed(&mut self, error: io::Error) -> io::Result<()> {
        self.events.clear();
        if error.kind() == io::ErrorKind::Interrupted {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Enters the events of the last wait, by source. The bell is not among them: it has done its work by ending the wait.
    #[inline(always)]
    pub(crate) fn for_each(&self, mut enter: impl FnMut(Key, u8)) {
        for event in &self.events {
            if let Some(source) = Key::from_number(event.token().0) {
                enter(source, bits(event));
            }
        }
    }
}

/// Registers a source for both directions.
pub(crate) fn register(registry: &Registry, source: &mut dyn MioSource, key: Key) -> io::Result<()> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let interest = interest | Interest::PRIORITY;
    source.register(registry, Token(key.number()), interest)
}

/// Asks for the next event of a source, where the selector does not tell it by itself (I9).
#[cfg(unix)]
pub(crate) fn ask_again(registry: &Registry, source: &mut dyn MioSource, token: Token) {
    if !EDGES {
        // It fails if the selector has dropped the source, as it does after the last event there can be.
        let _ = source.reregister(registry, token, Interest::READABLE | Interest::WRITABLE);
    }
}

/// Registers a source for reading. An event for writing comes whenever the peer has read, also if nobody waits for that.
#[cfg(all(feature = "process", unix))]
pub(crate) fn register_reading(registry: &Registry, source: &mut dyn MioSource, key: Key) -> io::Result<()> {
    source.register(registry, Token(key.number()), Interest::READABLE)
}

/// Registers such a source for both directions. What it is ready for is told once more.
#[cfg(all(feature = "process", unix))]
pub(crate) fn register_writing(registry: &Registry, source: &mut dyn MioSource, key: Key) -> io::Result<()> {
    let interest = Interest::READABLE | Interest::WRITABLE;
    source.reregister(registry, Token(key.number()), interest)
}
