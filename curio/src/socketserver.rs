//! Servers as classes: a value for each client, with a method that serves it.
//!
//! This is what Python's `socketserver` was, and Curio's in 2015. A handler is a type of yours that is made from a [`Request`]
//! and has a method [`handle`](Handler::handle); everything else is a [`Server`]. With closures one needs it
//! less; it is good where a client has a state that many methods share. For datagrams there is [`UdpServer`], whose handlers are
//! made from one [`Datagram`] each.
//!
//! ```no_run
//! use curio::socketserver::{Handler, Request, TcpServer};
//! use curio::{Kernel, Result};
//!
//! struct EchoHandler(Request);
//!
//! impl Handler for EchoHandler {
//!     async fn handle(&mut self) -> Result<()> {
//!         let Request { rfile, wfile, client_address } = &mut self.0;
//!         println!("Connection from {client_address}");
//!         let mut line = Vec::new();
//!         while rfile.read_until(b'\n', &mut line).await? > 0 {
//!             wfile.write_all(&line).await?;
//!             line.clear();
//!         }
//!         println!("Connection closed");
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     let serv = TcpServer::new(("", 25000), EchoHandler);
//!     let kernel = Kernel::new()?;
//!     kernel.spawn(serv.serve_forever());
//!     kernel.run_all()
//! }
//! ```

mod datagram;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::net::bytes::{Readable, Writable};
use crate::net::{TcpStream, ToAddrs};
use crate::server::{AtAddr, Server};
use crate::stream::{ReadHalf, Stream, WriteHalf};

pub use datagram::{Datagram, UdpServer};

/// What a handler is made from: a connection in two halves, and where it comes from (Python Curio: `StreamRequestHandler`'s
/// `rfile`, `wfile` and `client_address`).
#[derive(Debug)]
pub struct Request<S = TcpStream, A = SocketAddr> {
    /// What the client says.
    pub rfile: Stream<ReadHalf<S>>,
    /// What is said to the client.
    pub wfile: Stream<WriteHalf<S>>,
    /// Where it comes from.
    pub client_address: A,
}

/// Serves one client (Python Curio: `StreamRequestHandler`), or one datagram (`DatagramRequestHandler`).
pub trait Handler: 'static {
    /// Serves the client. The connection is closed when the handler is dropped, after this.
    ///
    /// # Errors
    ///
    /// What it fails with concerns this client only; it is logged.
    fn handle(&mut self) -> impl Future<Output = Result<()>>;
}

/// A server for TCP (Python Curio: `TCPServer`).
///
/// See the [module's documentation](self) for an example.
pub struct TcpServer<F> {
    addr: AtAddr,
    make: F,
}

impl<F, H> TcpServer<F>
where
    F: Fn(Request) -> H + 'static,
    H: Handler,
{
    /// A server at this address, which calls `make` for every client. It begins with [`serve_forever`](TcpServer::serve_forever).
    #[track_caller]
    pub fn new(addr: impl ToAddrs, make: F) -> TcpServer<F> {
        TcpServer {
            addr: AtAddr::new(addr),
            make,
        }
    }

    /// Listens, and serves every client in a task of its own.
    ///
    /// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its clients are cancelled and awaited, too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the address cannot be had. The interruption.
    ///
    /// ```
    /// use curio::ignore_after;
    /// use curio::socketserver::{Handler, Request, TcpServer};
    /// use std::time::Duration;
    ///
    /// struct Hello(Request);
    ///
    /// impl Handler for Hello {
    ///     async fn handle(&mut self) -> curio::Result<()> {
    ///         self.0.wfile.write_all(b"hello\n").await
    ///     }
    /// }
    ///
    /// let server = TcpServer::new("127.0.0.1:0", Hello);
    /// curio::run(ignore_after(Duration::from_millis(10), server.serve_forever())).unwrap();
    /// ```
    #[track_caller]
    pub fn serve_forever(self) -> impl Future<Output = Result<()>> + use<F, H> {
        let make = self.make;
        Server::new(self.addr, async move |client, addr| {
            handle(client, addr, &make).await
        })
        .named_after::<H>()
    }
}

impl<F> fmt::Debug for TcpServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpServer").field("addr", &self.addr).finish()
    }
}

/// A server at a path (Python Curio: `UnixStreamServer`). For paths that are left behind it has the rules of
/// [`unix_server`](crate::unix_server).
#[cfg(unix)]
pub struct UnixServer<F> {
    path: PathBuf,
    make: F,
}

#[cfg(unix)]
impl<F, H> UnixServer<F>
where
    F: Fn(Request<crate::net::UnixStream, std::os::unix::net::SocketAddr>) -> H + 'static,
    H: Handler,
{
    /// A server at this path, which calls `make` for every client. It begins with
    /// [`serve_forever`](UnixServer::serve_forever).
    pub fn new(path: impl AsRef<Path>, make: F) -> UnixServer<F> {
        UnixServer {
            path: path.as_ref().to_path_buf(),
            make,
        }
    }

    /// Listens, and serves every client in a task of its own.
    ///
    /// *Waits* for ever. *Interrupted* by cancellation and timeouts: then all its clients are cancelled and awaited, too.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the path cannot be had. The interruption.
    #[track_caller]
    pub fn serve_forever(self) -> impl Future<Output = Result<()>> + use<F, H> {
        let make = self.make;
        crate::server::unix_server(self.path, async move |client, addr| {
            handle(client, addr, &make).await
        })
        .named_after::<H>()
    }
}

#[cfg(unix)]
impl<F> fmt::Debug for UnixServer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixServer").field("path", &self.path).finish()
    }
}

async fn handle<S, A, H>(client: S, client_address: A, make: impl Fn(Request<S, A>) -> H) -> Result<()>
where
    S: Readable + Writable,
    H: Handler,
{
    let (rfile, wfile) = Stream::new(client).split();
    let request = Request {
        rfile,
        wfile,
        client_address,
    };
    make(request).handle().await
}
