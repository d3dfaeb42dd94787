//! Datagrams between processes of one machine.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::packets::{Operation, Recv, RecvFrom, Send};
use super::patience::Patience;
use super::source::{Registered, about};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// A socket for datagrams that is named by a path, as [`std::os::unix::net::UnixDatagram`]. None is lost on the way: a
/// sender waits while the receiver's queue is full.
///
/// ```
/// use curio::net::UnixDatagram;
///
/// curio::run(async {
///     let (one, two) = UnixDatagram::pair()?;
///     one.send(b"hello").await?;
///     assert_eq!(two.recv(&mut [0; 10]).await?, 5);
///     Ok(())
/// })
/// .unwrap();
/// ```
pub struct UnixDatagram {
    pub(super) io: Registered<mio::net::UnixDatagram>,
}

impl UnixDatagram {
    /// A socket at a path, which must not exist; nobody removes it afterwards. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path cannot be had. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::UnixDatagram;
    ///
    /// let path = std::env::temp_dir().join(format!("curio-doc-dgram-{}", std::process::id()));
    /// curio::run(async {
    ///     let server = UnixDatagram::bind(&path)?;
    ///     UnixDatagram::unbound()?.send_to(b"hello", &path).await?;
    ///     std::fs::remove_file(&path)?;
    ///     let (n, peer) = server.recv_from(&mut [0; 10]).await?;
    ///     assert!(n == 5 && peer.is_unnamed());
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    pub fn bind(path: impl AsRef<Path>) -> Result<UnixDatagram> {
        let path = path.as_ref();
        let socket = mio::net::UnixDatagram::bind(path);
        UnixDatagram::from_mio(socket.map_err(|error| about("bind", path.display(), error))?)
    }

    /// A socket without a name: it can send, and nobody can answer.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there are no descriptors left. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`bind`](UnixDatagram::bind) for an example.
    pub fn unbound() -> Result<UnixDatagram> {
        UnixDatagram::from_mio(mio::net::UnixDatagram::unbound()?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there are no descriptors left. [`Error::NoKernel`] outside of a task.
    ///
    /// See [`UnixDatagram`] for an example.
    pub fn pair() -> Result<(UnixDatagram, UnixDatagram)> {
        let (one, two) = mio::net::UnixDatagram::pair()?;
        Ok((UnixDatagram::from_mio(one)?, UnixDatagram::from_mio(two)?))
    }

    /// Takes over a socket that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> Result<UnixDatagram> {
        socket.set_nonblocking(true)?;
        Ok(UnixDatagram {
            io: Registered::adopt(mio::net::UnixDatagram::from_std(socket))?,
        })
    }

    /// The socket as `std` knows it, blocking. It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn into_std(self) -> Result<std::os::unix::net::UnixDatagram> {
        let socket = std::os::unix::net::UnixDatagram::from(self.io.release()?);
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    fn from_mio(socket: mio::net::UnixDatagram) -> Result<UnixDatagram> {
        Ok(UnixDatagram {
            io: Registered::new(socket)?,
        })
    }

    /// From now on sends to this path, with [`send`](UnixDatagram::send), and receives from nobody else. It never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if nobody is there. [`Error::Closed`].
    pub fn connect(&self, path: impl AsRef<Path>) -> Result<()> {
        self.io.with(|socket| socket.connect(path))
    }

    /// Receives a datagram; what does not fit into `buf` is lost.
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: none has been received.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task receives. [`Error::Closed`].
    ///
    /// See [`UnixDatagram`] for an example.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UnixDatagram, Recv<'a>> {
        Operation::new(self, Recv(buf), Location::caller())
    }

    /// Receives a datagram, and tells who sent it; otherwise as [`recv`](UnixDatagram::recv).
    ///
    /// *Waits* until there is one. *Interrupted* by cancellation and timeouts: none has been received.
    ///
    /// # Errors
    ///
    /// As for [`recv`](UnixDatagram::recv).
    ///
    /// See [`bind`](UnixDatagram::bind) for an example.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> Operation<'a, UnixDatagram, RecvFrom<'a>> {
        Operation::new(self, RecvFrom(buf), Location::caller())
    }

    /// Sends a datagram to whom the socket is connected.
    ///
    /// *Waits* while the receiver's queue is full. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. [`Error::Busy`] if another task sends. [`Error::Closed`].
    ///
    /// See [`UnixDatagram`] for an example.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> Operation<'a, UnixDatagram, Send<'a>> {
        Operation::new(self, Send(buf), Location::caller())
    }

    /// Sends a datagram to the socket at a path.
    ///
    /// *Waits* while the receiver's queue is full. Systems have no event for that, so it looks again every now and then; who
    /// sends much to one receiver connects to it. *Interrupted* by cancellation and timeouts: nothing has been sent.
    ///
    /// # Errors
    ///
    /// As for [`send`](UnixDatagram::send).
    ///
    /// See [`bind`](UnixDatagram::bind) for an example.
    #[track_caller]
    pub fn send_to<'a>(&'a self, buf: &'a [u8], path: impl AsRef<Path>) -> SendToPath<'a> {
        SendToPath {
            socket: self,
            buf,
            path: path.as_ref().to_path_buf(),
            patience: Patience::new(Location::caller()),
        }
    }

    /// Ends one direction, or both.
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
        self.io.with(mio::net::UnixDatagram::local_addr)
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        self.io.with(mio::net::UnixDatagram::peer_addr)
    }

    /// The error that the system has noted for this socket, which is forgotten by this.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    pub fn take_error(&self) -> Result<Option<io::Error>> {
        self.io.with(mio::net::UnixDatagram::take_error)
    }

    /// Closes the socket. Tasks that wait to send or receive get [`Error::Closed`]. The path stays.
    pub fn close(&self) {
        self.io.close();
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixDatagram")
            .field("local_addr", &self.local_addr().ok())
            .finish()
    }
}

/// The operation of [`UnixDatagram::send_to`].
#[must_use = "it does nothing unless it is awaited"]
#[derive(Debug)]
pub struct SendToPath<'a> {
    socket: &'a UnixDatagram,
    buf: &'a [u8],
    path: PathBuf,
    patience: Patience,
}

impl Future for SendToPath<'_> {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<usize>> {
        let SendToPath {
            socket,
            buf,
            path,
            patience,
        } = &mut *self;
        patience.poll(cx, || socket.io.with(|io| io.send_to(buf, &*path)))
    }
}
