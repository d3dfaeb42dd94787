//! Streams with a buffer: lines, exact amounts, everything to the end.
//!
//! A socket gives what happens to be there. [`Stream`] puts a buffer in front of it, so that one can ask for a line and get
//! one. There is one type for all that can be read or written:
//!
//! | name | is | from |
//! |---|---|---|
//! | [`SocketStream<S>`] | `Stream<S>` | `into_stream()`; `as_stream()` borrows the socket |
//! | `FileStream` | `Stream<Descriptor>` | a pipe or a terminal; [`stdin`], [`stdout`] (on Unix) |
//! | | `Stream<ReadHalf<S>>`, `Stream<WriteHalf<S>>` | [`split`](Stream::split), for a task that reads and one that writes |
//!
//! Only reading is buffered. What was written is with the system when the write returns, so nothing is forgotten in a buffer
//! while the peer waits for it; who has many small things to say uses [`write_lines`](Stream::write_lines).
//!
//! T1. A read that does not complete (interrupted, failed, dropped) has taken nothing: what it had received is in the buffer,
//!     for the next one. Only `read_to_end` leaves what it has in the caller's hands.
//! T2. The buffer is given back while it is empty and somebody waits: an idle connection costs nothing for it.
//! T3. A line that is longer than the limit is an error, and stays in the buffer: a peer that never ends its line takes so
//!     much memory and no more.
//!
//! With the feature `futures-io` (on by default) streams are `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of the futures
//! crates. tokio's traits of the same names are a call away, so there is no feature for them: with
//! `tokio_util::compat::FuturesAsyncReadCompatExt` (the crate tokio-util, its feature `compat`), `stream.compat()` is what the codecs and
//! other code for tokio's streams want. They need none of tokio's runtime; but what sleeps or spawns in them does.
//!
//! ```
//! use curio::net::UnixStream;
//! use futures::{SinkExt, StreamExt};
//! use tokio_util::codec::{Framed, LinesCodec};
//! use tokio_util::compat::FuturesAsyncReadCompatExt;
//!
//! curio::run(async {
//!     let (one, two) = UnixStream::pair()?;
//!     let mut one = Framed::new(one.into_stream().compat(), LinesCodec::new());
//!     let mut two = Framed::new(two.into_stream().compat(), LinesCodec::new());
//!     one.send("hello").await.map_err(curio::Error::other)?;
//!     assert_eq!(two.next().await.unwrap().map_err(curio::Error::other)?, "hello");
//!     Ok(())
//! })
//! .unwrap();
//! ```

pub(crate) mod buffer;
#[cfg(unix)]
mod descriptor;
#[cfg(feature = "futures-io")]
mod futures_io;
pub(crate) mod lines;
mod reading;
mod split;
mod writing;

use std::fmt;
use std::panic::Location;

use crate::error::Result;
use crate::net::TcpStream;
use crate::net::bytes::{Finish, Readable, Transport, Writable, Write, WriteAll};
use crate::traps::Waiting;
use buffer::Buffer;

pub use crate::net::bytes::Flush;
#[cfg(unix)]
pub use descriptor::{Descriptor, FileStream, stderr, stdin, stdout};
pub use lines::{Lines, NextLine, ReadLine, ReadUntil};
pub use reading::{Read, ReadExact, ReadToEnd};
pub use split::{ReadHalf, WriteHalf};
pub use writing::WriteLines;

/// How many bytes a line may have, unless something else is said.
const LINE_LIMIT: usize = 64 * 1024;

/// A stream over a socket (Python Curio: `SocketStream`).
pub type SocketStream<S = TcpStream> = Stream<S>;

/// Something that can be read or written, with a buffer for reading.
///
/// ```
/// use curio::net::{TcpListener, TcpStream};
/// use curio::{run, run_server, spawn};
///
/// run(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let addr = listener.local_addr()?;
///     let server = spawn(run_server(listener, async |client: TcpStream, _addr| {
///         let mut s = client.into_stream();
///         let mut line = Vec::new();
///         while s.read_until(b'\n', &mut line).await? > 0 {
///             s.write_all(&line).await?;
///             line.clear();
///         }
///         Ok(())
///     }));
///     let mut s = TcpStream::connect(addr).await?.into_stream();
///     s.write_all(b"hello\nworld\n").await?;
///     let mut line = String::new();
///     s.read_line(&mut line).await?;
///     assert_eq!(line, "hello\n");
///     server.cancel().await
/// })
/// .unwrap();
/// ```
pub struct Stream<S> {
    io: S,
    buffer: Buffer,
    line_limit: usize,
    /// The waits of `poll_read` and `poll_write`, which have no object of their own.
    reading: Waiting,
    writing: Waiting,
    /// Where it was made, for the reports of these.
    #[cfg_attr(not(feature = "futures-io"), allow(dead_code))]
    place: &'static Location<'static>,
}

impl<S: Transport> Stream<S> {
    /// Puts a buffer in front of something that can be read or written.
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// use curio::{open_connection, run, stream::Stream};
    ///
    /// run(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let mut s = Stream::new(open_connection(listener.local_addr()?).await?);
    ///     s.write_all(b"hello").await
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn new(io: S) -> Stream<S> {
        Stream {
            io,
            buffer: Buffer::default(),
            line_limit: LINE_LIMIT,
            reading: Waiting::new(),
            writing: Waiting::new(),
            place: Location::caller(),
        }
    }

    /// What is below the buffer, to ask or change something about it.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// What is below the buffer. What is in the buffer is lost; see [`buffered`](Stream::buffered).
    ///
    /// (Python Curio: `blocking`, which fails if something is in the buffer.)
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, _two) = UnixStream::pair()?;
    ///     let s = one.into_stream();
    ///     assert!(s.buffered().is_empty());
    ///     let socket = s.into_inner().into_std()?; // for a thread
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn into_inner(self) -> S {
        self.io
    }

    /// Closes what is below, as its own `close`: tasks that wait for it get [`Error::Closed`](crate::Error::Closed). The half
    /// that writes tells the peer that nothing more comes, and the half that reads does nothing; once both were closed, so is what is
    /// below.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) where the system refuses; from the half that writes to TLS, also where there is no room for
    /// the goodbye, for which [`shutdown`](Stream::shutdown) waits.
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let mut s = one.into_stream();
    ///     s.close()?;
    ///     assert_eq!(two.read(&mut [0; 10]).await?, 0);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn close(&mut self) -> Result<()> {
        self.io.close()
    }
}

impl<S: Readable> Stream<S> {
    /// What was received and not yet read.
    pub fn buffered(&self) -> &[u8] {
        self.buffer.filled()
    }

    /// How many bytes a line may have, its end included; 64 KiB if nothing is said (T3).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let mut s = one.into_stream();
    ///     s.set_line_limit(10);
    ///     two.write_all(&[b'x'; 1000]).await?;
    ///     assert!(s.read_line(&mut String::new()).await.is_err());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn set_line_limit(&mut self, bytes: usize) {
        self.line_limit = bytes;
    }

    /// Reads what is there; 0 bytes at the end of the stream.
    ///
    /// *Waits* if nothing is in the buffer, until something comes. *Interrupted* by cancellation and timeouts: nothing has
    /// been read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io). [`Error::Busy`](crate::Error::Busy) if another task reads from the same socket.
    /// [`Error::Closed`](crate::Error::Closed).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let mut s = one.into_stream();
    ///     two.write_all(b"hello").await?;
    ///     let mut buf = [0; 3];
    ///     assert_eq!(s.read(&mut buf).await?, 3);
    ///     assert_eq!(s.read(&mut buf).await?, 2);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, S> {
        Read::new(self, buf, Location::caller())
    }

    /// Fills the whole buffer (Python Curio: `read_exactly`, `readinto`).
    ///
    /// *Waits* until it is full. *Interrupted* by cancellation and timeouts: nothing has been read, and what had come is there
    /// for the next read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the stream ends before; what
    /// had come can still be read. Otherwise as for [`read`](Stream::read).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let mut s = one.into_stream();
    ///     two.write_all(b"hello").await?;
    ///     let mut buf = [0; 4];
    ///     s.read_exact(&mut buf).await?;
    ///     assert_eq!(&buf, b"hell");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, S> {
        ReadExact::new(self, buf, Location::caller())
    }

    /// Appends everything up to and including this byte, or up to the end of the stream; gives the number of bytes, which is 0
    /// at the end.
    ///
    /// *Waits* until the byte has come. *Interrupted* by cancellation and timeouts: nothing has been read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`InvalidData`](std::io::ErrorKind::InvalidData) if it does not come within the limit
    /// (see [`set_line_limit`](Stream::set_line_limit)); nothing has been read then. Otherwise as for [`read`](Stream::read).
    ///
    /// See [`Stream`] for an example.
    #[track_caller]
    pub fn read_until<'a>(&'a mut self, byte: u8, out: &'a mut Vec<u8>) -> ReadUntil<'a, S> {
        ReadUntil::new(self, byte, out, Location::caller())
    }

    /// Appends a line with its end, or what is left of the stream; gives the number of bytes, which is 0 at the end (Python
    /// Curio: `readline`).
    ///
    /// *Waits* until the line is complete. *Interrupted* by cancellation and timeouts: nothing has been read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with [`InvalidData`](std::io::ErrorKind::InvalidData) if the line is too long (see
    /// [`set_line_limit`](Stream::set_line_limit)) or no text; nothing has been read then. Otherwise as for
    /// [`read`](Stream::read).
    ///
    /// See [`Stream`] for an example.
    #[track_caller]
    pub fn read_line<'a>(&'a mut self, out: &'a mut String) -> ReadLine<'a, S> {
        ReadLine::new(self, out, Location::caller())
    }

    /// The lines, one after the other, without their ends (Python's `async for line in stream`).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     two.write_all(b"one\r\ntwo\nthree").await?;
    ///     drop(two);
    ///     let mut s = one.into_stream();
    ///     let mut lines = s.lines();
    ///     let mut all = Vec::new();
    ///     while let Some(line) = lines.next().await {
    ///         all.push(line?);
    ///     }
    ///     assert_eq!(all, ["one", "two", "three"]);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn lines(&mut self) -> Lines<'_, S> {
        Lines::new(self)
    }

    /// Appends everything up to the end of the stream, and gives the number of bytes (Python Curio: `readall`).
    ///
    /// There is no limit: only for peers that are trusted.
    ///
    /// *Waits* until the end. *Interrupted* by cancellation and timeouts: what had come is in `out`, and the error's
    /// [`Progress`](crate::Progress) says how much.
    ///
    /// # Errors
    ///
    /// As for [`read`](Stream::read).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     two.write_all(b"all of it").await?;
    ///     drop(two);
    ///     let mut all = Vec::new();
    ///     assert_eq!(one.into_stream().read_to_end(&mut all).await?, 9);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn read_to_end<'a>(&'a mut self, out: &'a mut Vec<u8>) -> ReadToEnd<'a, S> {
        ReadToEnd::new(self, out, Location::caller())
    }
}

impl<S: Writable> Stream<S> {
    /// Writes as much of `buf` as is taken, at least a byte.
    ///
    /// *Waits* until something is taken. *Interrupted* by cancellation and timeouts: nothing has been written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io). [`Error::Busy`](crate::Error::Busy) if another task writes to the same socket.
    /// [`Error::Closed`](crate::Error::Closed).
    #[track_caller]
    pub fn write<'a>(&'a mut self, buf: &'a [u8]) -> Write<'a, S> {
        self.writing = Waiting::new();
        Write::new(&self.io, buf, Location::caller())
    }

    /// Writes all of `buf` (Python Curio: `write`).
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were written.
    ///
    /// # Errors
    ///
    /// As for [`write`](Stream::write).
    ///
    /// See [`Stream`] for an example.
    #[track_caller]
    pub fn write_all<'a>(&'a mut self, buf: &'a [u8]) -> WriteAll<'a, S> {
        self.writing = Waiting::new();
        WriteAll::new(&self.io, buf, Location::caller())
    }

    /// Writes many pieces, several of them at once if they are small (Python Curio: `writelines`). It adds no ends of lines.
    ///
    /// *Waits* until the system has taken everything. *Interrupted* by cancellation and timeouts: the error's
    /// [`Progress`](crate::Progress) says how many bytes were written, of all pieces together.
    ///
    /// # Errors
    ///
    /// As for [`write`](Stream::write).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     one.into_stream().write_lines(["one\n", "two\n"]).await?;
    ///     let mut all = String::new();
    ///     let mut s = two.into_stream();
    ///     while s.read_line(&mut all).await? > 0 {}
    ///     assert_eq!(all, "one\ntwo\n");
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn write_lines<'a, I>(&'a mut self, lines: I) -> WriteLines<'a, S, I::IntoIter>
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        self.writing = Waiting::new();
        WriteLines::new(&self.io, lines.into_iter(), Location::caller())
    }

    /// Makes sure that all is on its way. It is, as nothing is kept back here; but TLS below may hold something.
    ///
    /// *Waits* only over TLS, until the system has taken everything. *Interrupted*, there, by cancellation and timeouts: what was
    /// not sent is held still.
    ///
    /// # Errors
    ///
    /// None of sockets. Over TLS, as for [`write`](Stream::write).
    #[track_caller]
    pub fn flush(&mut self) -> Flush<'_, S> {
        self.writing = Waiting::new();
        Flush::new(&self.io, Location::caller())
    }

    /// Tells the peer that nothing more comes; what it says can still be read.
    ///
    /// *Waits* only over TLS, until its goodbye is with the system. *Interrupted*, there, by cancellation and timeouts: the peer
    /// may not have been told, and it can be tried again.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) where the system refuses. [`Error::Closed`](crate::Error::Closed).
    ///
    /// ```
    /// use curio::net::UnixStream;
    /// curio::run(async {
    ///     let (one, two) = UnixStream::pair()?;
    ///     let (mut one, mut two) = (one.into_stream(), two.into_stream());
    ///     one.write_all(b"what is left?").await?;
    ///     one.shutdown().await?;
    ///     two.read_to_end(&mut Vec::new()).await?;
    ///     two.write_all(b"the answer").await?;
    ///     assert_eq!(one.read(&mut [0; 100]).await?, 10);
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn shutdown(&mut self) -> Finish<'_, S> {
        self.writing = Waiting::new();
        Finish::new(&self.io, Location::caller())
    }
}

impl<S: fmt::Debug> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("io", &self.io)
            .field("buffered", &self.buffer.filled().len())
            .finish()
    }
}
