//! TCP: connections.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::panic::Location;
use std::task::{Context as TaskContext, Poll};

use super::bytes::sealed::Sealed;
use super::bytes::{Read, ReadExact, Readable, Transport, Writable, Write, WriteAll};
use super::connect::Connect;
use super::packets::{Operation, Peek};
use super::source::Registered;
use crate::addr::ToAddrs;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::stream::Stream;
use crate::traps::Waiting;

/// A connection, as [`std::net::TcpStream`]. Its methods take `&self`, so that two tasks can share it through an `Rc`:
/// one that reads and one that writes.
///
/// See [`TcpListener`](super::TcpListener) for an example.
pub struct TcpStream {
    pub(super) io: Registered<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to an address; to the first of several that answers. A name is looked up
    /// ([`lookup_host`](super::lookup_host)).
    ///
    /// *Waits* for the peer. *Interrupted* by cancellation and timeouts: the attempt is given up.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the peer refuses, or this is no address. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`TcpListener`](super::TcpListener) for an example.
    #[track_caller]
    pub fn connect(addr: impl ToAddrs) -> Connect {
        Connect::new(&addr, Location::caller())
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
    /// See [`TcpListener`](super::TcpListener) for an example.
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a, TcpStream> {
        Read::new(self, buf, Location::caller())
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
    /// See [`TcpListener`](super::TcpListener) for an example.
    #[track_caller]
    pub fn read_exact<'a>(&'a self, buf: &'a mut [u8]) -> ReadExact<'a, TcpStream> {
        ReadExact::new(self, buf, Location::caller())
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
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a, TcpStream> {
        Write::new(self, buf, Location::caller())
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
    /// See [`TcpListener`](super::TcpListener) for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a self, buf: &'a [u8]) -> WriteAll<'a, TcpStream> {
        WriteAll::new(self, buf, Location::caller())
    }

    /// Looks at what would be read next, and leaves it there.
    ///
    /// *Waits* until there is something. *Interrupted* by cancellation and timeouts: nothing has happened.
    ///
    /// # Errors
    ///
    /// As for [`read`](TcpStream::read).
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     listener.accept().await?.0.write_all(b"hello").await?;
    ///     let mut buf = [0; 10];
    ///     assert_eq!(stream.peek(&mut buf).await?, 5);
    ///     assert_eq!(stream.read(&mut buf).await?, 5);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, TcpStream, Peek<'a>> {
        Operation::new(self, Peek(buf), Location::caller())
    }

    /// Takes over a connection that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = std::net::TcpStream::connect(listener.local_addr()?)?;
    ///     TcpStream::from_std(stream)?.write_all(b"hello").await
    /// }).unwrap();
    /// ```
    pub fn from_std(stream: std::net::TcpStream) -> Result<TcpStream> {
        stream.set_nonblocking(true)?;
        Ok(TcpStream {
            io: Registered::adopt(mio::net::TcpStream::from_std(stream))?,
        })
    }

    /// The connection as `std` knows it, blocking (Python Curio: `blocking`). It leaves the kernel; a thread can have it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// use std::io::Write;
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let mut stream = TcpStream::connect(listener.local_addr()?).await?.into_std()?;
    ///     stream.write_all(b"hello")?;
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn into_std(self) -> Result<std::net::TcpStream> {
        let stream = std::net::TcpStream::from(self.io.release()?);
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Puts a buffer in front of it, to read lines and the like (Python Curio: `as_stream`). What is in the buffer when it is
    /// dropped is lost.
    ///
    /// ```
    /// use curio::net::{TcpListener, TcpStream};
    /// curio::run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?).await?;
    ///     listener.accept().await?.0.write_all(b"hello\n").await?;
    ///     let mut line = String::new();
    ///     stream.as_stream().read_line(&mut line).await?;
    ///     assert_eq!(line, "hello\n");
    ///     Ok(())
    /// }).unwrap();
    /// ```
    #[track_caller]
    pub fn as_stream(&self) -> Stream<&TcpStream> {
        Stream::new(self)
    }

    /// The same for one that owns the socket.
    ///
    /// See [`Stream`] for an example.
    #[track_caller]
    pub fn into_stream(self) -> Stream<TcpStream> {
        Stream::new(self)
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

    /// Sends small writes at once, or not (`TCP_NODELAY`).
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

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn nodelay(&self) -> Result<bool> {
        self.io.with(mio::net::TcpStream::nodelay)
    }

    /// How many routers a packet may pass (`IP_TTL`).
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
    ///     stream.set_ttl(42)?;
    ///     assert_eq!(stream.ttl()?, 42);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn set_ttl(&self, ttl: u32) -> Result<()> {
        self.io.with(|socket| socket.set_ttl(ttl))
    }

    /// How many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn ttl(&self) -> Result<u32> {
        self.io.with(mio::net::TcpStream::ttl)
    }

    /// The error that the system has noted for this socket, which is forgotten by this.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        self.io.with(mio::net::TcpStream::take_error)
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

    pub(super) fn from_mio(stream: mio::net::TcpStream) -> Result<TcpStream> {
        Ok(TcpStream {
            io: Registered::new(stream)?,
        })
    }
}

impl Sealed for TcpStream {}

impl Transport for TcpStream {
    fn close(&self) -> Result<()> {
        TcpStream::close(self);
        Ok(())
    }
}

impl Readable for TcpStream {
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

impl Writable for TcpStream {
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

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("peer_addr", &self.peer_addr().ok())
            .finish()
    }
}
