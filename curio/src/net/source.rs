//! A socket as the kernel has it: one registered source, whatever the family.
//!
//! All operations of all sockets end in [`Registered::poll_io`]: try the system call, and wait only if it would block.
//!
//! N1. A read or write of a stream of bytes that transferred less than was asked for has emptied (filled) the socket: the
//!     next one waits for an event instead of paying for a call that would only say so. Not at the end of the stream, and
//!     not for listeners and datagrams, which hand out one thing at a time, nor where a look leaves everything as it is.
//! N2. A socket that owns its descriptor is closed without being deregistered first: the system does that. It does not where
//!     another descriptor of the same socket may be about: one that came from outside is deregistered first, and so is one
//!     that goes back there.

use std::cell::RefCell;
use std::io;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};
use std::task::{Context as TaskContext, Poll};

use mio::Registry;
#[cfg(unix)]
use mio::Token;
use mio::event::Source as MioSource;

use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::readiness::{self, Direction, Source};
use crate::traps::Waiting;

/// A mio socket, registered with the kernel in whose task it was made.
pub(crate) struct Registered<S: mio::event::Source> {
    /// None once it is closed.
    socket: RefCell<Option<S>>,
    source: Rc<Source>,
    /// Whether another descriptor of it may be about (N2).
    shared: bool,
    /// A socket may be closed while its kernel does not run.
    context: Weak<Context>,
}

impl<S: mio::event::Source> Registered<S> {
    /// Registers a socket that was made here.
    pub(crate) fn new(socket: S) -> Result<Registered<S>> {
        Registered::enter(socket, false, readiness::register)
    }

    /// Registers a socket that was made elsewhere (N2).
    pub(crate) fn adopt(socket: S) -> Result<Registered<S>> {
        Registered::enter(socket, true, readiness::register)
    }

    /// Registers a socket that was made here, for reading only. Before anybody waits to write, it must be told so.
    #[cfg(all(feature = "process", unix))]
    pub(crate) fn reading(socket: S) -> Result<Registered<S>> {
        Registered::enter(socket, false, readiness::register_reading)
    }

    /// From now on, one can wait to write to it, too.
    #[cfg(all(feature = "process", unix))]
    pub(crate) fn watch_writing(&self) -> Result<()> {
        let context = self.context.upgrade().ok_or(Error::NoKernel)?;
        match &mut *self.socket.borrow_mut() {
            Some(socket) => {
                readiness::register_writing(context.selector.borrow().registry(), socket, self.source.key())
                    .map_err(Error::Io)
            }
            None => Err(Error::Closed),
        }
    }

    fn enter(
        mut socket: S,
        shared: bool,
        register: impl FnOnce(&Registry, &mut dyn MioSource, Key) -> io::Result<()>,
    ) -> Result<Registered<S>> {
        context::with_task(|context, _| {
            let source = context.tables.borrow_mut().add_source(NonNull::from(context))?;
            let registered = register(context.selector.borrow().registry(), &mut socket, source.key());
            if let Err(error) = registered {
                context.with_tables(|tables| tables.remove_source(&source));
                return Err(Error::Io(error));
            }
            Ok(Registered {
                socket: RefCell::new(Some(socket)),
                source,
                shared,
                context: context.weak(),
            })
        })
    }

    /// What the socket says of itself, or is told.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&S) -> io::Result<R>) -> Result<R> {
        match &*self.socket.borrow() {
            Some(socket) => f(socket).map_err(Error::Io),
            None => Err(Error::Closed),
        }
    }

    /// Tries a system call, and waits if it would block; see [`Waiting::poll_io`]. (Nobody else looks at the socket meanwhile;
    /// to say so is cheaper than to count who does.)
    #[inline(always)]
    pub(crate) fn poll_io<R>(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        call: impl FnOnce(&S) -> io::Result<(R, bool)>,
    ) -> Poll<Result<R>> {
        waiting.poll_io(&self.source, direction, cx, place, || {
            match &*self.socket.borrow_mut() {
                Some(socket) => call(socket),
                // When it is closed, the kernel knows that first: a source that is gone is not ready.
                None => unreachable!("a closed socket is not tried"),
            }
        })
    }

    /// The same for a call of which nobody knows whether it could be done once more (N1).
    #[inline]
    pub(crate) fn poll_call<R>(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        call: impl FnOnce(&S) -> io::Result<R>,
    ) -> Poll<Result<R>> {
        self.poll_io(direction, waiting, cx, place, |socket| Ok((call(socket)?, false)))
    }

    /// The same for a call that reads bytes of a stream (N1).
    #[inline(always)]
    pub(crate) fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>
    where
        for<'a> &'a S: io::Read,
    {
        self.poll_io(Direction::Read, waiting, cx, place, |mut socket| {
            let n = io::Read::read(&mut socket, buf)?;
            Ok((n, 0 < n && n < buf.len()))
        })
    }

    /// The same for a call that writes bytes to a stream (N1).
    #[inline(always)]
    pub(crate) fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>
    where
        for<'a> &'a S: io::Write,
    {
        self.poll_io(Direction::Write, waiting, cx, place, |mut socket| {
            let n = io::Write::write(&mut socket, buf)?;
            Ok((n, 0 < n && n < buf.len()))
        })
    }

    /// The same for a call that writes bytes of its own.
    #[cfg(feature = "tls")]
    pub(crate) fn poll_send(
        &self,
        send: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<usize>,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>>
    where
        for<'a> &'a S: io::Write,
    {
        self.poll_call(Direction::Write, waiting, cx, place, |mut socket| {
            send(&mut socket)
        })
    }

    /// A call on the source would block: asks for the next event, where that is needed (I9).
    #[cfg(unix)]
    pub(super) fn ask_again(&self, source: &mut dyn MioSource) {
        if let (false, Some(context)) = (readiness::EDGES, self.context.upgrade()) {
            let token = Token(self.source.key().number());
            readiness::ask_again(context.selector.borrow().registry(), source, token);
        }
    }

    /// Closes the socket and wakes those who wait for it.
    pub(crate) fn close(&self) {
        let mut socket = self.socket.borrow_mut().take();
        if let (Some(socket), true) = (&mut socket, self.shared) {
            self.deregister(socket);
        }
        self.forget();
        drop(socket);
    }

    /// Takes the socket out of the kernel (N2).
    pub(crate) fn release(self) -> Result<S> {
        let Some(mut socket) = self.socket.borrow_mut().take() else {
            return Err(Error::Closed);
        };
        self.deregister(&mut socket);
        Ok(socket)
    }

    fn deregister(&self, socket: &mut S) {
        if let Some(context) = self.context.upgrade() {
            // It cannot fail but for a socket that the selector does not have, which is what we want.
            let _ = context.selector.borrow().registry().deregister(socket);
        }
    }

    fn forget(&self) {
        if let Some(context) = self.context.upgrade() {
            context.with_tables(|tables| tables.remove_source(&self.source));
        }
    }
}

impl<S: mio::event::Source> Drop for Registered<S> {
    #[inline]
    fn drop(&mut self) {
        if self.shared {
            self.close();
        } else {
            self.forget();
        }
    }
}

/// The error of the system, which does not say whom it is about.
pub(super) fn about(what: &str, whom: impl std::fmt::Display, error: io::Error) -> Error {
    Error::Io(io::Error::new(
        error.kind(),
        format!("cannot {what} {whom}: {error}"),
    ))
}
