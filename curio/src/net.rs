//! TCP sockets.
//!
//! Every operation tries the system call first and waits only if that would block. A socket is registered once, for both
//! directions; reading and writing are independent, so one task may read while another writes. Two tasks that read from
//! one socket at once are a mistake, and the second is told so ([`Error::Busy`]).
//!
//! N1. A read or write of a stream that transferred less than was asked for has emptied (filled) the socket: the next one
//!     waits for an event instead of paying for a call that would only say so. Not at the end of the stream, and not for
//!     listeners, which hand out one connection at a time.
//! N2. A socket that owns its descriptor is closed without being deregistered first: the system does that.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Weak;
use std::task::{Context as TaskContext, Poll, ready};

use crate::context::{self, Context};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::readiness::{self, Direction};
use crate::traps::Waiting;

pub use crate::addr::ToAddrs;
pub use crate::lookup::{LookupHost, lookup_host};

/// A mio socket, registered with the kernel in whose task it was made.
struct Registered<S: mio::event::Source> {
    /// None once it is closed.
    socket: RefCell<Option<S>>,
    source: Key,
    /// A socket may be closed while its kernel does not run.
    context: Weak<Context>,
}

impl<S: mio::event::Source> Registered<S> {
    fn new(mut socket: S) -> Result<Registered<S>> {
        context::with_task(|context, _| {
            let source = context.tables.borrow_mut().add_source()?;
            let registered = readiness::register(context.selector.borrow().registry(), &mut socket, source);
            if let Err(error) = registered {
                context.with_tables(|tables| tables.remove_source(source));
                return Err(Error::Io(error));
            }
            Ok(Registered {
                socket: RefCell::new(Some(socket)),
                source,
                context: context.weak(),
            })
        })
    }

    fn with<R>(&self, f: impl FnOnce(&S) -> io::Result<R>) -> Result<R> {
        match &*self.socket.borrow() {
            Some(socket) => f(socket).map_err(Error::Io),
            None => Err(Error::Closed),
        }
    }

    /// Tries a system call, and waits if it would block; see [`Waiting::poll_io`].
    #[inline]
    fn poll_io<R>(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
        mut call: impl FnMut(&S) -> io::Result<(R, bool)>,
    ) -> Poll<Result<R>> {
        waiting.poll_io(self.source, direction, cx, place, || {
            match &*self.socket.borrow() {
                Some(socket) => call(socket),
                // It was closed; the kernel knows that first.
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        })
    }

    /// Closes the socket and wakes those who wait for it.
    fn close(&self) {
        let socket = self.socket.borrow_mut().take();
        self.forget();
        drop(socket);
    }

    fn forget(&self) {
        if let Some(context) = self.context.upgrade() {
            context.with_tables(|tables| tables.remove_source(self.source));
        }
    }
}

impl<S: mio::event::Source> Drop for Registered<S> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The error of the system, which does not say whom it is about.
fn at_address(what: &str, addr: SocketAddr, error: io::Error) -> Error {
    Error::Io(io::Error::new(
        error.kind(),
        format!("cannot {what} {addr}: {error}"),
    ))
}

/// A socket that accepts connections, as [`std::net::TcpListener`].
///
/// ```
/// use curio::net::{TcpListener, TcpStream};
/// use curio::{run, spawn};
///
/// run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let addr = listener.local_addr()?;
///     let server = spawn(async move {
///         let (client, _) = listener.accept().await?;
///         client.write_all(b"hello").await
///     });
///     let stream = TcpStream::connect(addr).await?;
///     let mut greeting = [0; 5];
///     stream.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     server.join().await
/// })
/// .unwrap();
/// ```
pub struct TcpListener {
    io: Registered<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens on an address; on the first of several that can be had. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address cannot be had, or is none. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// curio::run(async {
    ///     let listener = TcpListener::bind(("", 0))?; // all interfaces, a free port
    ///     println!("listening at {}", listener.local_addr()?);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn bind(addr: impl ToAddrs) -> Result<TcpListener> {
        let mut last = Error::Closed;
        for addr in addr.to_addrs()? {
            match mio::net::TcpListener::bind(addr) {
                Ok(listener) => {
                    return Ok(TcpListener {
                        io: Registered::new(listener)?,
                    });
                }
                Err(error) => last = at_address("listen at", addr, error),
            }
        }
        Err(last)
    }

    /// Takes the next connection.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: no connection is lost.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if the process has no file descriptor left: the connection stays in the queue of the system.
    /// [`Error::Busy`] if another task accepts. [`Error::Closed`].
    ///
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        Accept {
            listener: self,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// The address on which it listens.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// curio::run(async {
    ///     assert_ne!(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(), 0);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::TcpListener::local_addr)
    }

    /// Closes the socket. A task that waits to accept gets [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     listener.close();
    ///     assert!(listener.accept().await.is_err());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn close(&self) {
        self.io.close();
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("local_addr", &self.local_addr().ok())
            .finish()
    }
}

/// The operation of [`TcpListener::accept`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Accept<'a> {
    listener: &'a TcpListener,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for Accept<'_> {
    type Output = Result<(TcpStream, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Accept {
            listener,
            waiting,
            place,
        } = &mut *self;
        let accepted = ready!(
            listener
                .io
                .poll_io(Direction::Read, waiting, cx, place, |socket| {
                    // N1: there may be more, whatever came.
                    Ok((socket.accept()?, false))
                })
        );
        Poll::Ready(accepted.and_then(|(stream, peer)| {
            Ok((
                TcpStream {
                    io: Registered::new(stream)?,
                },
                peer,
            ))
        }))
    }
}

/// A connection, as [`std::net::TcpStream`]. Its methods take `&self`, so that two tasks can share it through an `Rc`:
/// one that reads and one that writes.
///
/// See [`TcpListener`] for an example.
pub struct TcpStream {
    io: Registered<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to an address; to the first of several that answers. A name is looked up
    /// ([`lookup_host`]).
    ///
    /// *Waits* for the peer. *Interrupted* by cancellation and timeouts: the attempt is given up.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the peer refuses, or this is no address. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn connect(addr: impl ToAddrs) -> Connect {
        let place = Location::caller();
        let lookup = addr.name().map(|_| Box::new(LookupHost::new(&addr, place)));
        let (addrs, error) = match addr.to_addrs() {
            _ if lookup.is_some() => (Vec::new(), Error::Closed),
            Ok(addrs) => (addrs, Error::Closed),
            Err(error) => (Vec::new(), error),
        };
        Connect {
            lookup,
            addrs: addrs.into_iter(),
            last: Some(error),
            attempt: None,
            waiting: Waiting::new(),
            place,
        }
    }

    /// Reads what is there, into `buf`; 0 bytes at the end of the stream.
    ///
    /// A buffer that is larger than the usual message saves a system call per message.
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has been read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task reads. [`Error::Closed`].
    ///
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a> {
        Read {
            stream: self,
            buf,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Fills the whole buffer.
    ///
    /// *Waits* until it is full. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes are in the buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends before. Otherwise as for
    /// [`read`](TcpStream::read).
    ///
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a> {
        ReadExact {
            stream: self,
            buf,
            done: 0,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Writes as much of `buf` as the system takes, at least a byte.
    ///
    /// *Waits* until it takes something. *Interrupted* by cancellation and timeouts: nothing has been written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task writes. [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     assert_eq!(stream.write(b"hello").await?, 5);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a> {
        Write {
            stream: self,
            buf,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Writes all of `buf` (Python Curio: `sendall`).
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were written.
    ///
    /// # Errors
    ///
    /// As for [`write`](TcpStream::write).
    ///
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a> {
        WriteAll {
            stream: self,
            buf,
            done: 0,
            waiting: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// Ends one direction, or both, for the peer too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// use std::net::Shutdown;
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     stream.shutdown(Shutdown::Write)?;
    ///     let (peer, _) = listener.accept().await?;
    ///     assert_eq!(peer.read(&mut [0; 10]).await?, 0);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.io.with(|socket| socket.shutdown(how))
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     TcpStream::connect(listener.local_addr()?).await?.set_nodelay(true)
    /// }).unwrap();
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        self.io.with(|socket| socket.set_nodelay(nodelay))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     assert!(stream.local_addr()?.ip().is_loopback());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::TcpStream::local_addr)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::TcpStream::peer_addr)
    }

    /// Closes the socket. Tasks that wait to read or write get [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     stream.close();
    ///     assert!(stream.read(&mut [0; 10]).await.is_err());
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn close(&self) {
        self.io.close();
    }

    #[inline]
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.io
            .poll_io(Direction::Read, waiting, cx, place, |mut socket| {
                let n = socket.read(buf)?;
                Ok((n, 0 < n && n < buf.len()))
            })
    }

    #[inline]
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.io
            .poll_io(Direction::Write, waiting, cx, place, |mut socket| {
                let n = socket.write(buf)?;
                Ok((n, 0 < n && n < buf.len()))
            })
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("peer_addr", &self.peer_addr().ok())
            .finish()
    }
}

/// The operation of [`TcpStream::connect`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Connect {
    /// The address has a name, whose addresses are not known yet.
    lookup: Option<Box<LookupHost>>,
    addrs: std::vec::IntoIter<SocketAddr>,
    last: Option<Error>,
    attempt: Option<(TcpStream, SocketAddr)>,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for Connect {
    type Output = Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<TcpStream>> {
        let Connect {
            lookup,
            addrs,
            last,
            attempt,
            waiting,
            place,
        } = &mut *self;
        if let Some(asking) = lookup {
            let found = ready!(Pin::new(asking).poll(cx));
            *lookup = None;
            match found {
                Ok(found) => *addrs = found.into_iter(),
                Err(error) => *last = Some(error),
            }
        }
        loop {
            let Some((stream, addr)) = attempt else {
                let Some(addr) = addrs.next() else {
                    let Some(error) = last.take() else {
                        panic!("a Connect was polled after it had completed")
                    };
                    return Poll::Ready(Err(error));
                };
                match mio::net::TcpStream::connect(addr) {
                    Ok(socket) => match Registered::new(socket) {
                        Ok(io) => *attempt = Some((TcpStream { io }, addr)),
                        Err(error) => *last = Some(error),
                    },
                    Err(error) => *last = Some(at_address("connect to", addr, error)),
                }
                continue;
            };
            let connected = ready!(stream.io.poll_io(Direction::Write, waiting, cx, place, |socket| {
                if let Some(error) = socket.take_error()? {
                    return Err(error);
                }
                match socket.peer_addr() {
                    // Still under way.
                    Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::WouldBlock.into())
                    }
                    other => other.map(|_| ((), false)),
                }
            }));
            let addr = *addr;
            let stream = attempt.take().map(|(stream, _)| stream);
            match (connected, stream) {
                (Ok(()), Some(stream)) => return Poll::Ready(Ok(stream)),
                (Err(Error::Io(error)), _) => *last = Some(at_address("connect to", addr, error)),
                (Err(error), _) => return Poll::Ready(Err(error)),
                (Ok(()), None) => {}
            }
        }
    }
}

/// The operation of [`TcpStream::read`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Read<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for Read<'_> {
    type Output = Result<usize>;

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

/// The operation of [`TcpStream::read_exact`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ReadExact<'a> {
    stream: &'a TcpStream,
    buf: &'a mut [u8],
    done: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for ReadExact<'_> {
    type Output = Result<()>;

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
                Ok(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
                Ok(n) => *done += n,
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The operation of [`TcpStream::write`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Write<'a> {
    stream: &'a TcpStream,
    buf: &'a [u8],
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for Write<'_> {
    type Output = Result<usize>;

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

/// The operation of [`TcpStream::write_all`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct WriteAll<'a> {
    stream: &'a TcpStream,
    buf: &'a [u8],
    done: usize,
    waiting: Waiting,
    place: &'static Location<'static>,
}

impl Future for WriteAll<'_> {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        let WriteAll {
            stream,
            buf,
            done,
            waiting,
            place,
        } = &mut *self;
        while *done < buf.len() {
            match ready!(stream.poll_write(&buf[*done..], waiting, cx, place)) {
                Ok(0) => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                Ok(n) => *done += n,
                Err(error) => return Poll::Ready(Err(error.after_bytes(*done))),
            }
        }
        Poll::Ready(Ok(()))
    }
}
