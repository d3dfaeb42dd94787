//! Servers in one call: those of the crate's root, with a handshake in each client's task before its handler.

use std::net::SocketAddr;
use std::panic::Location;

use super::handshake::Acceptor;
use super::stream::TlsStream;
use crate::error::Result;
#[cfg(unix)]
use crate::net::UnixStream;
use crate::net::carrier::Carrier;
use crate::net::{Listener, TcpStream, ToAddrs};
#[cfg(unix)]
use crate::server::AtPath;
use crate::server::{AtAddr, Server};

/// [`tcp_server`](crate::tcp_server), with TLS (Python Curio: `tcp_server(.., ssl=)`).
///
/// The handshake is made in the client's task, before the handler is called: a slow one holds up nobody, and one that fails
/// ends that client's task with its error, which is logged.
///
/// See the [module's documentation](super) for an example.
#[track_caller]
pub fn tcp_server<H>(
    addr: impl ToAddrs,
    tls: impl Into<Acceptor>,
    handler: H,
) -> Server<AtAddr, impl AsyncFn(TcpStream, SocketAddr) -> Result<()> + 'static>
where
    H: AsyncFn(TlsStream, SocketAddr) -> Result<()> + 'static,
{
    crate::tcp_server(addr, shaking_hands(tls.into(), handler, Location::caller())).named_after::<H>()
}

/// [`unix_server`](crate::unix_server), with TLS (Python Curio: `unix_server(.., ssl=)`).
///
/// ```
/// use curio::tls::{self, TlsStream};
/// use curio::{net::UnixStream, open_unix_connection, run, spawn, yield_now};
/// # let certificate = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.pem"));
/// # let private_key = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.key"));
/// # let authority = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/ca.pem"));
///
/// let path = std::env::temp_dir().join(format!("curio-doc-tls-{}", std::process::id()));
/// run(async {
///     let config = tls::server_config(certificate, private_key)?;
///     let server = spawn(tls::unix_server(&path, config, async |client: TlsStream<UnixStream>, _addr| {
///         client.write_all(b"hello").await
///     }));
///     yield_now().await?; // now it listens
///     let s = open_unix_connection(&path)
///         .tls(tls::client_config(authority)?)
///         .server_hostname("localhost")
///         .await?;
///     s.read_exact(&mut [0; 5]).await?;
///     server.cancel().await
/// })
/// .unwrap();
/// ```
#[cfg(unix)]
#[track_caller]
pub fn unix_server<H>(
    path: impl AsRef<std::path::Path>,
    tls: impl Into<Acceptor>,
    handler: H,
) -> Server<AtPath, impl AsyncFn(UnixStream, std::os::unix::net::SocketAddr) -> Result<()> + 'static>
where
    H: AsyncFn(TlsStream<UnixStream>, std::os::unix::net::SocketAddr) -> Result<()> + 'static,
{
    crate::unix_server(path, shaking_hands(tls.into(), handler, Location::caller())).named_after::<H>()
}

/// [`run_server`](crate::run_server), with TLS (Python Curio: `run_server(.., ssl=)`).
///
/// See the [module's documentation](super) for an example.
#[track_caller]
pub fn run_server<L, H>(
    listener: L,
    tls: impl Into<Acceptor>,
    handler: H,
) -> Server<L, impl AsyncFn(L::Stream, L::Addr) -> Result<()> + 'static>
where
    L: Listener<Stream: Carrier> + 'static,
    H: AsyncFn(TlsStream<L::Stream>, L::Addr) -> Result<()> + 'static,
{
    crate::run_server(listener, shaking_hands(tls.into(), handler, Location::caller())).named_after::<H>()
}

/// A handler that shakes hands first.
fn shaking_hands<S, A, H>(
    tls: Acceptor,
    handler: H,
    place: &'static Location<'static>,
) -> impl AsyncFn(S, A) -> Result<()> + 'static
where
    S: Carrier + 'static,
    A: 'static,
    H: AsyncFn(TlsStream<S>, A) -> Result<()> + 'static,
{
    async move |stream: S, addr: A| {
        let stream = tls.accept_at(stream, place).await?;
        handler(stream, addr).await
    }
}
