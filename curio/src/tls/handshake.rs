//! Who shakes hands: clients and servers.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::session::{Session, broken};
use super::stream::TlsStream;
use crate::error::{Error, Result};
use crate::net::carrier::Carrier;
use crate::timeout::ignore_after;

/// How long a handshake may take, unless something else is said.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What client and server can be told alike.
#[derive(Debug, Clone, Copy)]
struct Manners {
    timeout: Duration,
    tolerant: bool,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners {
            timeout: HANDSHAKE_TIMEOUT,
            tolerant: false,
        }
    }
}

macro_rules! manners {
    () => {
        /// How long the handshake may take: 10 seconds if nothing is said. A peer that takes longer is an [`Error::Io`] with
        /// [`TimedOut`](io::ErrorKind::TimedOut): it is the peer's failure, and no interruption of the task. [`Duration::MAX`] is
        /// for ever.
        pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
            self.manners.timeout = timeout;
            self
        }

        /// Takes the end of the connection for the end of the stream, whether or not the peer says goodbye. Then nobody knows
        /// whether something is missing: only for protocols that say themselves where they end (L4).
        pub fn tolerate_truncation(mut self) -> Self {
            self.manners.tolerant = true;
            self
        }
    };
}

/// Makes connections to servers (Python Curio: `SSLContext.wrap_socket`). A clone is cheap.
///
/// Mostly it is made from a [`ClientConfig`], and used by [`Connect::tls`](crate::net::Connect::tls).
///
/// ```
/// use curio::tls::{self, Acceptor, Connector, TlsStream};
/// use curio::{TaskGroup, net::UnixStream, run};
/// # let certificate = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.pem"));
/// # let private_key = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.key"));
/// # let authority = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/ca.pem"));
///
/// run(async {
///     let connector = Connector::from(tls::client_config(authority)?);
///     let acceptor = Acceptor::from(tls::server_config(certificate, private_key)?);
///     let (one, two) = UnixStream::pair()?;
///     let both = TaskGroup::<TlsStream<UnixStream>>::all();
///     both.spawn(connector.connect("localhost", one));
///     both.spawn(acceptor.accept(two));
///     both.join().await
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    alpn: Option<Vec<Vec<u8>>>,
    manners: Manners,
}

impl Connector {
    manners!();

    /// What this end can talk, what it likes best first (ALPN), instead of what the configuration says.
    pub fn alpn_protocols<P: AsRef<[u8]>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = Some(protocols.into_iter().map(|p| p.as_ref().to_vec()).collect());
        self
    }

    /// Shakes hands with a server that is to be called `name`: a name of the DNS, or an IP address.
    ///
    /// *Waits* for the server. *Interrupted* by cancellation and timeouts: the connection is closed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: with [`InvalidData`](io::ErrorKind::InvalidData) around a [`rustls::Error`] if the server's certificate is not to be
    /// trusted or both have nothing in common; with [`TimedOut`](io::ErrorKind::TimedOut) if the server takes too long; with
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if it hangs up; with [`InvalidInput`](io::ErrorKind::InvalidInput) if `name` is none.
    ///
    /// See [`Connector`] for an example.
    #[track_caller]
    pub fn connect<S: Carrier + 'static>(&self, name: &str, stream: S) -> Handshake<S> {
        self.connect_at(name, stream, Location::caller())
    }

    pub(super) fn connect_at<S: Carrier + 'static>(
        &self,
        name: &str,
        stream: S,
        place: &'static Location<'static>,
    ) -> Handshake<S> {
        let conn = self.begin(name).map(Connection::from);
        Handshake::new(conn, stream, self.manners, place)
    }

    fn begin(&self, name: &str) -> Result<ClientConnection> {
        let name = ServerName::try_from(name.to_string()).map_err(|_| {
            let text = format!("{name:?} is not the name of a server");
            Error::Io(io::Error::new(io::ErrorKind::InvalidInput, text))
        })?;
        let config = self.config.clone();
        match self.alpn.clone() {
            None => ClientConnection::new(config, name),
            Some(alpn) => ClientConnection::new_with_alpn(config, name, alpn),
        }
        .map_err(broken)
    }
}

impl From<Arc<ClientConfig>> for Connector {
    fn from(config: Arc<ClientConfig>) -> Connector {
        Connector {
            config,
            alpn: None,
            manners: Manners::default(),
        }
    }
}

impl From<ClientConfig> for Connector {
    fn from(config: ClientConfig) -> Connector {
        Connector::from(Arc::new(config))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("manners", &self.manners)
            .finish_non_exhaustive()
    }
}

/// Makes connections of clients that have come (Python Curio: `SSLContext.wrap_socket` with `server_side=True`). A clone is cheap.
///
/// Mostly it is made from a [`ServerConfig`], and used by [`tcp_server`](super::tcp_server) and its kin. See [`Connector`] for an
/// example by hand.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    manners: Manners,
}

impl Acceptor {
    manners!();

    /// Shakes hands with a client.
    ///
    /// *Waits* for the client. *Interrupted* by cancellation and timeouts: the connection is closed.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: with [`InvalidData`](io::ErrorKind::InvalidData) around a [`rustls::Error`] if the client talks something else, or does
    /// not trust this server; with [`TimedOut`](io::ErrorKind::TimedOut) if it takes too long; with
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if it hangs up.
    ///
    /// See [`Connector`] for an example.
    #[track_caller]
    pub fn accept<S: Carrier + 'static>(&self, stream: S) -> Handshake<S> {
        self.accept_at(stream, Location::caller())
    }

    pub(super) fn accept_at<S: Carrier + 'static>(
        &self,
        stream: S,
        place: &'static Location<'static>,
    ) -> Handshake<S> {
        let conn = ServerConnection::new(self.config.clone()).map_err(broken);
        Handshake::new(conn.map(Connection::from), stream, self.manners, place)
    }
}

impl From<Arc<ServerConfig>> for Acceptor {
    fn from(config: Arc<ServerConfig>) -> Acceptor {
        Acceptor {
            config,
            manners: Manners::default(),
        }
    }
}

impl From<ServerConfig> for Acceptor {
    fn from(config: ServerConfig) -> Acceptor {
        Acceptor::from(Arc::new(config))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("manners", &self.manners)
            .finish_non_exhaustive()
    }
}

/// The operation of [`Connector::connect`] and [`Acceptor::accept`].
///
/// A handshake is some milliseconds of arithmetic, so it may well have an allocation to itself.
#[must_use = "it does nothing unless it is awaited"]
pub struct Handshake<S> {
    /// None once it is over.
    shaking: Option<Shaking<S>>,
}

type Shaking<S> = Pin<Box<dyn Future<Output = Result<TlsStream<S>>>>>;

impl<S: Carrier + 'static> Handshake<S> {
    fn new(
        conn: Result<Connection>,
        stream: S,
        manners: Manners,
        place: &'static Location<'static>,
    ) -> Handshake<S> {
        let shaking = async move {
            let stream = TlsStream::new(stream, Session::new(conn?, manners.tolerant));
            match ignore_after(manners.timeout, stream.shake_hands(place)).await? {
                Some(()) => Ok(stream),
                None => Err(too_slow(manners.timeout)),
            }
        };
        Handshake {
            shaking: Some(Box::pin(shaking)),
        }
    }
}

fn too_slow(timeout: Duration) -> Error {
    let text = format!("the peer has not completed the TLS handshake within {timeout:?}");
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

impl<S> Future for Handshake<S> {
    type Output = Result<TlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Some(shaking) = &mut self.shaking else {
            panic!("a Handshake was polled after it had completed")
        };
        let shaken = shaking.as_mut().poll(cx);
        if shaken.is_ready() {
            self.shaking = None;
        }
        shaken
    }
}

impl<S> fmt::Debug for Handshake<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("over", &self.shaking.is_none())
            .finish()
    }
}
