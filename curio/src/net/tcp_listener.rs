//! TCP: who accepts.

use std::fmt;
use std::net::SocketAddr;
use std::panic::Location;
use std::task::{Context as TaskContext, Poll, ready};

use super::accept::{Accept, Listener};
use super::bytes::sealed::Sealed;
use super::options::ListenOptions;
use super::source::Registered;
use super::tcp::TcpStream;
use crate::addr::ToAddrs;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
use crate::readiness::Direction;
use crate::traps::Waiting;

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
        ListenOptions::new().listen(addr)
    }

    /// Takes over a listener that was made elsewhere. It becomes non-blocking, and so do all copies of it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system refuses. [`Error::NoKernel`] outside of a task.
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// curio::run(async {
    ///     let addr = listener.local_addr()?;
    ///     assert_eq!(TcpListener::from_std(listener)?.local_addr()?, addr);
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn from_std(listener: std::net::TcpListener) -> Result<TcpListener> {
        listener.set_nonblocking(true)?;
        Ok(TcpListener {
            io: Registered::adopt(mio::net::TcpListener::from_std(listener))?,
        })
    }

    /// The listener as `std` knows it, blocking. It leaves the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Closed`].
    ///
    /// ```
    /// use curio::net::TcpListener;
    /// curio::run(async {
    ///     let listener: std::net::TcpListener = TcpListener::bind("127.0.0.1:0")?.into_std()?;
    ///     Ok(())
    /// }).unwrap();
    /// ```
    pub fn into_std(self) -> Result<std::net::TcpListener> {
        let listener = std::net::TcpListener::from(self.io.release()?);
        listener.set_nonblocking(false)?;
        Ok(listener)
    }

    pub(super) fn from_mio(listener: mio::net::TcpListener) -> Result<TcpListener> {
        Ok(TcpListener {
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
    /// See [`TcpListener`] for an example.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_, TcpListener> {
        Accept::new(self, Location::caller())
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

impl Sealed for TcpListener {}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Addr = SocketAddr;

    fn poll_accept(
        &self,
        waiting: &mut Waiting,
        cx: &mut TaskContext<'_>,
        place: &'static Location<'static>,
    ) -> Poll<Result<(TcpStream, SocketAddr)>> {
        let accepted = ready!(
            self.io
                .poll_call(Direction::Read, waiting, cx, place, |socket| socket.accept())
        );
        Poll::Ready(accepted.and_then(|(stream, peer)| Ok((TcpStream::from_mio(stream)?, peer))))
    }
}
