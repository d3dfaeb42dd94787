//! Connections in one call.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::handshake::Connector;
use super::stream::TlsStream;
use crate::error::{Error, Result};
use crate::net::Connect;
use crate::net::TcpStream;
use crate::net::carrier::Carrier;
#[cfg(unix)]
use crate::net::{ConnectUnix, UnixStream};

impl Connect {
    /// Shakes hands with the server then (Python Curio: `ssl=`). It has to prove that it is what the address says, name or IP
    /// address, unless [`server_hostname`](ConnectTls::server_hostname) says otherwise.
    ///
    /// See [`tls`](crate::tls) for an example.
    #[track_caller]
    pub fn tls(self, tls: impl Into<Connector>) -> ConnectTls<TcpStream> {
        let name = self.host();
        ConnectTls::new(self, tls.into(), name, Location::caller())
    }
}

#[cfg(unix)]
impl ConnectUnix {
    /// Shakes hands with the server then (Python Curio: `ssl=`). A path says nothing of the server's name, so
    /// [`server_hostname`](ConnectTls::server_hostname) has to.
    ///
    /// See [`tls::unix_server`](crate::tls::unix_server) for an example.
    #[track_caller]
    pub fn tls(self, tls: impl Into<Connector>) -> ConnectTls<UnixStream> {
        ConnectTls::new(self, tls.into(), None, Location::caller())
    }
}

/// The operation of [`Connect::tls`] and `ConnectUnix::tls`, which takes options until it is awaited.
///
/// *Waits* for the peer. *Interrupted* by cancellation and timeouts: the attempt is given up.
///
/// # Errors
///
/// Those of [`TcpStream::connect`], and of [`Connector::connect`].
///
/// See [`tls`](crate::tls) for an example.
#[must_use = "it does nothing unless it is awaited"]
pub struct ConnectTls<S> {
    /// None once it has begun.
    setup: Option<Setup<S>>,
    connecting: Option<Connecting<TlsStream<S>>>,
    place: &'static Location<'static>,
}

type Connecting<S> = Pin<Box<dyn Future<Output = Result<S>>>>;

struct Setup<S> {
    connect: Connecting<S>,
    connector: Connector,
    name: Option<String>,
}

impl<S: Carrier + 'static> ConnectTls<S> {
    fn new(
        connect: impl Future<Output = Result<S>> + 'static,
        connector: Connector,
        name: Option<String>,
        place: &'static Location<'static>,
    ) -> ConnectTls<S> {
        ConnectTls {
            setup: Some(Setup {
                connect: Box::pin(connect),
                connector,
                name,
            }),
            connecting: None,
            place,
        }
    }

    /// The name that the server has to prove: of the DNS, or an IP address.
    pub fn server_hostname(mut self, name: impl Into<String>) -> ConnectTls<S> {
        if let Some(setup) = &mut self.setup {
            setup.name = Some(name.into());
        }
        self
    }

    /// What this end can talk, what it likes best first; see [`Connector::alpn_protocols`].
    pub fn alpn_protocols<P: AsRef<[u8]>>(self, protocols: impl IntoIterator<Item = P>) -> ConnectTls<S> {
        self.change(|connector| connector.alpn_protocols(protocols))
    }

    /// How long the handshake may take; see [`Connector::handshake_timeout`].
    pub fn handshake_timeout(self, timeout: Duration) -> ConnectTls<S> {
        self.change(|connector| connector.handshake_timeout(timeout))
    }

    /// Takes the end of the connection for the end of the stream; see [`Connector::tolerate_truncation`].
    pub fn tolerate_truncation(self) -> ConnectTls<S> {
        self.change(Connector::tolerate_truncation)
    }

    fn change(mut self, f: impl FnOnce(Connector) -> Connector) -> ConnectTls<S> {
        if let Some(setup) = &mut self.setup {
            setup.connector = f(setup.connector.clone());
        }
        self
    }
}

impl<S: Carrier + 'static> Future for ConnectTls<S> {
    type Output = Result<TlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Some(setup) = self.setup.take() {
            self.connecting = Some(Box::pin(connect(setup, self.place)));
        }
        let Some(connecting) = &mut self.connecting else {
            panic!("a ConnectTls was polled after it had completed")
        };
        let connected = connecting.as_mut().poll(cx);
        if connected.is_ready() {
            self.connecting = None;
        }
        connected
    }
}

async fn connect<S: Carrier + 'static>(
    setup: Setup<S>,
    place: &'static Location<'static>,
) -> Result<TlsStream<S>> {
    let Some(name) = setup.name else {
        let text = "the server needs a name to prove (server_hostname)";
        return Err(Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text)));
    };
    let stream = setup.connect.await?;
    setup.connector.connect_at(&name, stream, place).await
}

impl<S> fmt::Debug for ConnectTls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectTls")
            .field("connects", &self.connecting.is_some())
            .finish_non_exhaustive()
    }
}
