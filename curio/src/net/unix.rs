//! Connections between processes of one machine, named by a path.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use super::accept::{Accept, Listener};
use super::bytes::sealed::Sealed;
use super::bytes::{Read, ReadExact, Readable, Transport, Writable, Write, WriteAll};
use super::options::ListenOptions;
use super::patience::Patience;
use super::source::{Registered, about};
use crate::error::{Error, Result};
use crate::readiness::Direction;
use crate::stream::Stream;
use crate::traps::Waiting;

/// A socket that accepts connections at a path, as [`std::os::unix::net::UnixListener`].
///
/// ```
/// use curio::net::{UnixListener, UnixStream};
/// use curio::{run, spawn};
///
/// let path = std::env::temp_dir().join(format!("curio-doc-{}", std::process::id()));
/// run(async {
///     let listener = UnixListener::bind(&path)?;
///     let stream = UnixStream::connect(&path).await?;
///     std::fs::remove_file(&path)?;
///     let (client, _) = listener.accept().await?;
///     client.write_all(b"hello").await?;
///     let mut greeting = [0; 5];
///     stream.read_exact(&mut greeting).await?;
///     assert_eq!(&greeting, b"hello");
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct UnixListener {
    io: Registered<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens on a path, which must not exist; nobody removes it afterwards. It never waits.
    ///
    /// [`unix_server`](crate::unix_server) has rules for paths that are left behind.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path cannot be had. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`UnixListener`] for an example.
    pub fn bind(path: impl AsRef<Path>) -> Result<UnixListener> {
        ListenOptions::new().listen_unix(path)
    }

    /// Takes over a listener that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> Result<UnixListener> {
        listener.set_nonblocking(true)?;
        Ok(UnixListener {
            io: Registered::adopt(mio::net::UnixListener::from_std(listener))?,
        })
    }

    /// The listener as `std` knows it, blocking. It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn into_std(self) -> Result<std::os::unix::net::UnixListener> {
        let listener = std::os::unix::net::UnixListener::from(self.io.release()?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    pub(super) fn from_mio(listener: mio::net::UnixListener) -> Result<UnixListener> {
        Ok(UnixListener {
            io: Registered::new(listener)?,
        })
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
    /// See [`UnixListener`] for an example.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_, UnixListener> {
        Accept::new(self, Location::caller())
    }

    /// The address on which it listens.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UnixListener::local_addr)
    }

    /// Closes the socket. A task that waits to accept gets [`Error::Closed`]. The path stays.
    pub fn close(&self) {
        self.io.close();
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixListener")
            .field("local_addr", &self.local_addr().ok())
            .finish()
    }
}

impl Sealed for UnixListener {}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Addr = SocketAddr;

    fn poll_accept(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(UnixStream, SocketAddr)>> {
        let accepted = ready!(
            self.io
                .poll_call(Direction::Read, waiting, cx, place, |socket| socket.accept())
        );
        Poll::Ready(accepted.and_then(|(stream, peer)| Ok((UnixStream::from_mio(stream)?, peer))))
    }
}

/// A connection to another process of this machine, as [`std::os::unix::net::UnixStream`].
///
/// ```
/// use curio::net::UnixStream;
///
/// curio::run(async {
///     let (one, two) = UnixStream::pair()?;
///     one.write_all(b"hello").await?;
///     let mut buf = [0; 10];
///     assert_eq!(two.read(&mut buf).await?, 5);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct UnixStream {
    pub(super) io: Registered<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the server at a path.
    ///
    /// *Waits* while the server's queue is full. Systems have no event for that, so it looks again every now and then.
    /// *Interrupted* by cancellation and timeouts: the attempt is given up.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if nobody listens there. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`UnixListener`] for an example.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> ConnectUnix {
        ConnectUnix {
            path: path.as_ref().to_path_buf(),
            patience: Patience::new(Location::caller()),
        }
    }

    /// Two sockets that are connected to each other (Python Curio: `socketpair`).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there are no descriptors left. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`UnixStream`] for an example.
    pub fn pair() -> Result<(UnixStream, UnixStream)> {
        let (one, two) = mio::net::UnixStream::pair()?;
        Ok((UnixStream::from_mio(one)?, UnixStream::from_mio(two)?))
    }

    /// Takes over a connection that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> Result<UnixStream> {
        stream.set_nonblocking(true)?;
        Ok(UnixStream {
            io: Registered::adopt(mio::net::UnixStream::from_std(stream))?,
        })
    }

    /// The connection as `std` knows it, blocking (Python Curio: `blocking`). It leaves the kernel; a thread can have it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn into_std(self) -> Result<std::os::unix::net::UnixStream> {
        let stream = std::os::unix::net::UnixStream::from(self.io.release()?);
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    fn from_mio(stream: mio::net::UnixStream) -> Result<UnixStream> {
        Ok(UnixStream {
            io: Registered::new(stream)?,
        })
    }

    /// Reads what is there; see [`TcpStream::read`](super::TcpStream::read).
    ///
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has been read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task reads. [`Error::Closed`].
    ///
    /// See [`UnixStream`] for an example.
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a, UnixStream> {
        Read::new(self, buf, Location::caller())
    }

    /// Fills the whole buffer; see [`TcpStream::read_exact`](super::TcpStream::read_exact).
    ///
    /// *Waits* until it is full. *Interrupted* by cancellation and timeouts: the error's [`Progress`](crate::Progress)
    /// says how many bytes are in the buffer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends before. Otherwise as for
    /// [`read`](UnixStream::read).
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a, UnixStream> {
        ReadExact::new(self, buf, Location::caller())
    }

    /// Writes as much of `buf` as the system takes, at least a byte.
    ///
    /// *Waits* until it takes something. *Interrupted* by cancellation and timeouts: nothing has been written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task writes. [`Error::Closed`].
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a, UnixStream> {
        Write::new(self, buf, Location::caller())
    }

    /// Writes all of `buf` (Python Curio: `sendall`).
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were written.
    ///
    /// # Errors
    ///
    /// As for [`write`](UnixStream::write).
    ///
    /// See [`UnixStream`] for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a, UnixStream> {
        WriteAll::new(self, buf, Location::caller())
    }

    /// Puts a buffer in front of it, to read lines and the like (Python Curio: `as_stream`). What is in the buffer when it is
    /// dropped is lost.
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     one.write_all(b"hello\n").await?;
    ///     let mut line = String::new();
    ///     two.as_stream().read_line(&mut line).await?;
    ///     assert_eq!(line, "hello\n");
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn as_stream(&self) -> Stream<&UnixStream> {
        Stream::new(self)
    }

    /// The same for one that owns the socket.
    ///
    /// See [`Stream`] for an example.
    #[track_caller]
    pub fn into_stream(self) -> Stream<UnixStream> {
        Stream::new(self)
    }

    /// Ends one direction, or both, for the peer too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn shutdown(&self, how: Shutdown) -> Result<()> {
        self.io.with(|socket| socket.shutdown(how))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UnixStream::local_addr)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UnixStream::peer_addr)
    }

    /// The error that the system has noted for this socket, which is forgotten by this.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        self.io.with(mio::net::UnixStream::take_error)
    }

    /// Closes the socket. Tasks that wait to read or write get [`Error::Closed`].
    pub fn close(&self) {
        self.io.close();
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixStream")
            .field("local_addr", &self.local_addr().ok())
            .field("peer_addr", &self.peer_addr().ok())
            .finish()
    }
}

impl Sealed for UnixStream {}

impl Transport for UnixStream {
    fn close(&self) -> Result<()> {
        UnixStream::close(self);
        Ok(())
    }
}

impl Readable for UnixStream {
    #[inline(always)]
    fn poll_read(
        &self,
        buf: &mut [u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.io.poll_read(buf, waiting, cx, place)
    }
}

impl Writable for UnixStream {
    #[inline(always)]
    fn poll_write(
        &self,
        buf: &[u8],
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<usize>> {
        self.io.poll_write(buf, waiting, cx, place)
    }

    fn finish(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// The operation of [`UnixStream::connect`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct ConnectUnix {
    path: PathBuf,
    patience: Patience,
}

impl Future for ConnectUnix {
    type Output = Result<UnixStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<UnixStream>> {
        let ConnectUnix { path, patience } = &mut *self;
        let connected = ready!(patience.poll(cx, || Ok(mio::net::UnixStream::connect(&*path)?)));
        Poll::Ready(match connected {
            Ok(stream) => UnixStream::from_mio(stream),
            Err(Error::Io(error)) => Err(about("connect to", path.display(), error)),
            Err(error) => Err(error),
        })
    }
}
